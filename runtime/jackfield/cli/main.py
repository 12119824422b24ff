"""Entry point of ``jackfield``: it dispatches to a command and converts every error to JSON and an
exit code.

Imports are lazy: ``jackfield --help`` imports no command, and each command only its own module.
"""

from __future__ import annotations

import gc
import os
import sys

import jackfield
from jackfield.cli.commands import (
    BUILT_IN,
    built_in,
    lacks_extra,
    load_plugged,
    of_packages,
    plugged,
    topics,
)

TYPE_CHECKING = False  # importing typing would double the time of a cold --help
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jackfield.catalog import EntryPoint
    from jackfield.cli.output import Output
    from jackfield.cli.parsing import UsageError, Verb
    from jackfield.kernel.errors import JackfieldError

_USAGE = "usage: jackfield COMMAND …"
_HEADS = {
    "call": "Call",
    "connect": "Connect",
    "serve": "Run a server",
    "operate": "Operate a server",
    "make": "Make a connector",
    "market": "Publish and install connectors",
    "ses": "Amazon SES, and other systems' files for it",
    "aws": "AWS",
    "": "Commands of other packages",
}
_FRONT = ("call", "connect", "serve")
"""Topics in ``jackfield --help``."""
_TOPICS = {
    "operate": ("serve", "operate"),
    **{topic: (topic,) for topic in ("call", "connect", "make", "market", "ses", "aws")},
    "all": (*_HEADS,),
}
"""Topics in ``jackfield help TOPIC``."""
_INTERRUPTED = 130
"""Exit code of a command ended by Ctrl-C, by the convention of shells (128 + SIGINT)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in ``argv`` (default: ``sys.argv``) and return its exit code: 0, 1, 2, 3, or
    130 after a second Ctrl-C.
    """
    if argv is None and os.name == "posix" and os.getppid() <= 1:  # of a container, or of its init
        from jackfield.kernel import first_process

        first_process.obey()
    words = list(sys.argv[1:] if argv is None else argv)
    collecting = gc.get_threshold()
    # pydantic searches every installed distribution for its plugins: 40 ms of a cold call if there
    # are many
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _speak_utf8()
    try:
        return _run(words, for_good=argv is None)
    except SystemExit as stop:  # argparse's --help, or a plugged command
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        if argv is None:
            # Python's two collections at exit take a tenth of a cold call, to free memory that the
            # system frees anyway
            gc.freeze()
        else:  # the process continues; undo what the command has set
            gc.set_threshold(*collecting)
            logs = sys.modules.get("jackfield.cli.logs")
            if logs is not None:
                logs.forget()


def _run(words: list[str], *, for_good: bool) -> int:
    first = words[0] if words else ""
    if first in {"-h", "--help"}:
        return _print(_help())
    if first in {"-V", "--version"}:
        return _print(f"jackfield {jackfield.__version__}\n")
    if first == "__complete":
        from jackfield.cli.completion import complete

        return _print("".join(f"{line}\n" for line in complete(words[1:])))
    from jackfield.cli.output import Output
    from jackfield.kernel.errors import JackfieldError

    output = Output(one_line="--json" in words, for_good=for_good)
    try:
        code = _dispatch(words, output)
    except JackfieldError as error:
        code = _refuse(first, error, output)
    return max(code, 1) if output.lost else code


def _dispatch(words: list[str], output: Output) -> int:
    from jackfield.kernel.errors import did_you_mean

    for place, word in enumerate(words, start=1):
        if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
            raise _misuse(
                f"argument {place} is not valid text in this locale's encoding",
                usage=_USAGE,
                hint="Write it in UTF-8.",
            )
    if words and words[0] == "help":
        words = [word for word in words[1:] if word != "--json"]
        if not words or (words[0] in _TOPICS and not words[1:]):
            return _print(_help_of(words[0]) if words else _help())
        words.append("--help")
    if not words:
        raise _misuse("no command is given", usage=_help(), hint="See 'jackfield --help'.")
    name, *rest = words
    _tidy(rest)
    if name in BUILT_IN:
        return _of_table(name, BUILT_IN[name], built_in(name), rest, output)
    found = plugged()
    if name in found and not lacks_extra(name):
        command = load_plugged(found[name])
        return (
            command(rest) or 0
            if callable(command)
            else _of_table(name, _summaries()[name], command, rest, output)
        )
    verbs = {
        verb.partition(".")[2]: points
        for verb, points in found.items()
        if verb.startswith(f"{name}.")
    }
    declared, two = of_packages(), f"{name}.{rest[0]}" if rest else ""
    if verbs and (two in found or two not in declared):
        return _plugged_verb(name, rest, verbs)
    name = two.replace(".", " ") if two in declared else name
    package, extra = declared.get(two) or declared.get(name, ("", ""))
    if package:
        needed, named = (
            (f"extra '{extra}'", f"'jackfield[{extra}]'")
            if extra
            else (f"package '{package}'", package)
        )
        text = f"the command '{name}' needs the {needed}, which is not installed"
        raise _misuse(text, usage=_USAGE, hint=f"Install it: pip install {named}.")
    message = f"unknown command '{name[:80]}'{did_you_mean(name, [*BUILT_IN, *found])}"
    raise _misuse(message, usage=_USAGE, hint="See 'jackfield --help'.")


def _tidy(words: list[str]) -> None:
    """Strip white space from jackfield's environment variables. Help is printed whatever the
    variables are.
    """
    if not {"-h", "--help"}.intersection(words):
        from jackfield.kernel.variables import tidy_process

        tidy_process()


def _misuse(text: str, *, usage: str, hint: str) -> UsageError:
    from jackfield.cli.parsing import UsageError

    return UsageError(text, usage=usage, hint=hint)


def _plugged_verb(name: str, words: list[str], verbs: Mapping[str, Sequence[EntryPoint]]) -> int:
    """Run a command of two words, whose verbs may be declared by several packages; return its exit
    code.
    """
    from jackfield.kernel.errors import did_you_mean

    usage = f"usage: jackfield {name} {{{','.join(sorted(verbs))}}} …"
    verb = words[0] if words else ""
    if verb in verbs:
        command = load_plugged(verbs[verb])
        if not callable(command):
            raise _misuse(
                f"'{name} {verb}' is declared as a table of verbs",
                usage=usage,
                hint="Declare a function.",
            )
        return command(words[1:]) or 0
    if verb in {"-h", "--help"}:
        about = _summaries()
        rows = "".join(f"  {key:<8} {about[f'{name}.{key}']}\n" for key in sorted(verbs))
        return _print(f"{usage}\n\n{rows}")
    text = (
        f"'{name}' has no command '{verb[:80]}'{did_you_mean(verb, verbs)}"
        if verb
        else f"'{name}' needs one of: {', '.join(sorted(verbs))}"
    )
    raise _misuse(text, usage=usage, hint=f"See 'jackfield {name} --help'.")


def _of_table(
    name: str, about: str, verbs: Mapping[str, Verb], words: list[str], output: Output
) -> int:
    from jackfield.kernel.errors import did_you_mean

    if "" in verbs:
        return _call(verbs[""], name, words, output)
    verb = next((word for word in words if word != "--json"), "")
    if verb in {"-h", "--help"}:
        return _print(_verbs_help(name, about, verbs))
    usage = f"usage: jackfield {name} {{{','.join(verbs)}}} …"
    hint = f"See 'jackfield {name} --help'."
    if not verb:
        raise _misuse(f"'{name}' needs one of: {', '.join(verbs)}", usage=usage, hint=hint)
    if verb not in verbs:
        raise _misuse(
            f"'{name}' has no command '{verb[:80]}'{did_you_mean(verb, verbs)}",
            usage=usage,
            hint=hint,
        )
    words.remove(verb)
    return _call(verbs[verb], f"{name} {verb}", words, output)


def _call(verb: Verb, command: str, words: list[str], output: Output) -> int:
    arguments = verb.parser(command).read(words)
    output.one_line = arguments.json
    if verb.claims_output:
        return verb.run(arguments, output)
    with output.claimed():
        return verb.run(arguments, output)


def _refuse(command: str, error: JackfieldError, output: Output) -> int:
    usage = getattr(error, "usage", None)
    if usage:
        sys.stderr.write(f"{usage.rstrip()}\njackfield: {error.message}\n")
    if command == "invoke":
        from jackfield.invocation import Meta, Result, new_invocation_id

        output.value(Result("failed", Meta(new_invocation_id()), error=error).to_json("cli"))
    else:
        output.value({"error": error.to_json("cli")})
    return error.exit_code


def _summaries() -> dict[str, str]:
    return {name: about for commands in topics().values() for name, about in commands.items()}


def _help() -> str:
    return f"""{_USAGE}

Run actions of installed connectors: JSON in, JSON out.

{_sections(_FRONT)}
More commands: jackfield help operate | make | market | ses | aws | all
Of one command: jackfield help COMMAND. Version: jackfield --version

Output goes to stdout as JSON, on one line with --json; everything else to stderr.
Exit codes: 0 succeeded, 1 failed, 2 invalid, 3 in doubt, 4 waits for a person. Of many, the largest of 1 to 3, else 4.
"""


def _help_of(asked: str) -> str:
    return f"{_USAGE}\n\n{_sections(_TOPICS[asked])}"


def _sections(asked: Sequence[str]) -> str:
    here = topics()
    found = {topic: here[topic] for topic in asked if here[topic]}
    if not found:
        return f"{_HEADS[asked[0]]}\n  nothing of it is installed\n"
    width = max(len(name) for commands in found.values() for name in commands)
    return "\n".join(
        "".join(
            [
                f"{_HEADS[topic]}\n",
                *(
                    f"  {name.replace('.', ' '):<{width}}  {about}\n"
                    for name, about in commands.items()
                ),
            ]
        )
        for topic, commands in found.items()
    )


def _verbs_help(name: str, about: str, verbs: Mapping[str, Verb]) -> str:
    rows = "\n".join(f"  {key:<8} {verb.summary}" for key, verb in verbs.items())
    return (
        f"usage: jackfield {name} {{{','.join(verbs)}}} "
        f"…\n\n{about[:1].upper()}{about[1:]}.\n\n{rows}\n"
    )


def _print(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        from jackfield.cli.output import is_lost

        return int(is_lost(error))
    return 0


def _speak_utf8() -> None:
    """Write UTF-8 regardless of the locale; a lone surrogate becomes an escape, from which JSON
    restores it.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller (>&-)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (open until the process ends)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
