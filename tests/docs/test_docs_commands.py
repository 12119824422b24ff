"""Commands, requests and variables that pages show can be given so: the command line, the HTTP API
and the code know them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from doc_pages import ROOT, blocks, commands, pages
from jackfield.cli.commands import BUILT_IN, built_in, load_plugged, plugged
from jackfield.cli.parsing import UsageError
from jackfield.kernel.variables import NAMES

LEFT_OUT = re.compile(r"…|\[--|\w\|\w")
"""Lines that show a form and no command: what is left out, an option in brackets, names to choose
from.
"""
NO_COMMANDS = ("help", "--help", "--version", "listens")
"""First words of what has no parser of its own, and of what a server prints."""
OF_OTHERS = {"JACKFIELD_DNS_SERVERS", "JACKFIELD_DOCUMENTS", "JACKFIELD_ORIGIN", "JACKFIELD_TOKEN"}
"""Variables of a connector, of a campaign, and of examples alone."""
OPERATION = re.compile(r"^### (GET|POST|PUT|PATCH|DELETE) (/\S+)", re.MULTILINE)
REQUEST = re.compile(r"(?:https?://[^/\s'\"]+|\$URL)(/v1/[^\s'\"?]*)")


def shown(path: Path) -> Iterator[list[str]]:
    """Yield the words of each command line of jackfield on a page, up to a pipe or a
    redirection.
    """
    for block in blocks(path):
        if block.language not in ("sh", "shell", "text"):
            continue
        lines = (
            line.removeprefix("$ ") for line, _, _ in commands(block.body.replace("\\\n", " "))
        )
        for text in lines:
            if text.startswith("jackfield ") and not LEFT_OUT.search(text):
                words = shell_words(text, lines)
                end = next(
                    (place for place, word in enumerate(words) if set(word) <= set("|&;<>()")),
                    len(words),
                )
                yield words[1:end]


def shell_words(text: str, more: Iterator[str]) -> list[str]:
    """Return the words of a line as a shell reads it; a quotation that is open goes on in the next
    lines.
    """
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return list(lexer)
    except ValueError:
        return shell_words(f"{text}\n{next(more)}", more)


def refused(words: list[str]) -> str:
    """Return why the command line would refuse a command before it does anything; nothing if it
    would not.
    """
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
    found = [
        (" ".join(words), why)
        for words in shown(path)
        if words[0] not in NO_COMMANDS and (why := refused(words))
    ]
    assert found == []


def test_a_command_that_cannot_be_given_is_found() -> None:
    """The kinds of faults that pages have had: no such command, verb, option or argument."""
    for line in (
        "sends",
        "connections put",
        "connections add acme --type a/b --value x",
        "connections add acme --type a/b key=value",
    ):
        assert refused(line.split())


def operations() -> list[tuple[str, re.Pattern[str]]]:
    """Return method and path of each operation, as its generated page has them."""
    text = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "docs" / "reference").glob("http-operations*.md")
    )
    return [
        (method, re.compile(re.sub(r"\\{\w+\\}", "[^/:]+", re.escape(path))))
        for method, path in OPERATION.findall(text)
    ]


def requests(path: Path) -> Iterator[tuple[str, str]]:
    """Yield method and path of each request to ``/v1`` that a page makes with curl; a variable in
    it stands for a name.
    """
    for line in (
        line
        for block in blocks(path)
        for line in block.body.replace("\\\n", " ").splitlines()
        if "curl " in line
    ):
        found, method = REQUEST.search(line), re.search(r"-X (\w+)", line)
        if found is not None:
            usual = "POST" if re.search(r" (-d|--data(-binary)?) ", line) else "GET"
            yield method[1] if method else usual, re.sub(r"\$\w+|…", "x", found[1])


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_requests_of_pages_reach_an_operation(path: Path) -> None:
    """No page calls a path with a method that no operation has."""
    known = operations()
    assert known
    assert [
        made
        for made in requests(path)
        if not any(made[0] == method and form.fullmatch(made[1]) for method, form in known)
    ] == []


def test_variables_of_pages_are_read() -> None:
    """No page names a variable that nothing reads: one was misspelt, and its page said that a
    server needs it.
    """
    names = {
        name
        for path in pages()
        for name in re.findall(r"JACKFIELD_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert names - {f"JACKFIELD_{name}" for name in NAMES} - OF_OTHERS == set()
