"""Commands that pages show can be given so: their names, verbs, options and arguments are those of the command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from doc_pages import ROOT, blocks, commands, pages
from jackfield.cli.commands import BUILT_IN, built_in, load_plugged, plugged
from jackfield.cli.parsing import UsageError

LEFT_OUT = re.compile(r"…|\[--|\w\|\w")
"""Lines that show a form and no command: what is left out, an option in brackets, names to choose from."""
NO_COMMANDS = ("help", "--help", "--version", "listens")
"""First words of what has no parser of its own, and of what a server prints."""


def shown(path: Path) -> Iterator[list[str]]:
    """Yield the words of each command line of jackfield on a page, up to a pipe or a redirection."""
    for block in blocks(path):
        if block.language not in ("sh", "shell", "text"):
            continue
        lines = (line.removeprefix("$ ") for line, _, _ in commands(block.body.replace("\\\n", " ")))
        for text in lines:
            if text.startswith("jackfield ") and not LEFT_OUT.search(text):
                words = shell_words(text, lines)
                end = next((place for place, word in enumerate(words) if set(word) <= set("|&;<>()")), len(words))
                yield words[1:end]


def shell_words(text: str, more: Iterator[str]) -> list[str]:
    """Return the words of a line as a shell reads it; a quotation that is open goes on in the next lines."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return list(lexer)
    except ValueError:
        return shell_words(f"{text}\n{next(more)}", more)


def refused(words: list[str]) -> str:
    """Return why the command line would refuse a command before it does anything; nothing if it would not."""
    found, (name, *rest) = plugged(), words
    if rest and f"{name}.{rest[0]}" in found:
        name, rest = f"{name}.{rest[0]}", rest[1:]
    if name not in BUILT_IN and name not in found:
        return f"there is no command '{name}'"
    verbs = built_in(name) if name in BUILT_IN else load_plugged(found[name])
    if callable(verbs):
        return ""
    verb, given = (verbs[rest[0]], rest[1:]) if rest and rest[0] in verbs else (verbs.get(""), rest)
    if verb is None:
        return f"'{name}' has no verb '{' '.join(rest[:1])}'"
    try:
        verb.parser(name).read(given)
    except UsageError as error:
        return error.message
    return ""


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_of_pages_can_be_given(path: Path) -> None:
    """No page shows an option, a verb or an argument that its command does not take."""
    found = [(" ".join(words), why) for words in shown(path) if words[0] not in NO_COMMANDS and (why := refused(words))]
    assert found == []


def test_a_command_that_cannot_be_given_is_found() -> None:
    """The kinds of faults that pages have had: no such command, verb, option or argument."""
    for line in ("sends", "connections put", "connections add acme --type a/b --value x", "connections add acme --type a/b key=value"):
        assert refused(line.split())
