"""``jackfield new``: create the project for a new connector from templates, which are data
files.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path

from jackfield.catalog.loading import package_folders
from jackfield.cli.commands import load_plugged, plugged
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.kernel.errors import InvalidInvocation
from jackfield.manifest.parts import package_of
from jackfield.manifest.reading import RESERVED

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 60
_SUFFIX = ".tmpl"
_SAMPLE = "lambda"
"""AWS service that the sample action calls; any other is generated."""
_CHECKED = "[tool.jackfield.check]"


def _declare(parser: Parser) -> None:
    parser.add_argument(
        "name",
        metavar="NAME",
        help="the connector's key in kebab-case, such as acme-crm; also the folder's name",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--python", action="store_true", help="a library of Python")
    parser.flags["--python"] = kind._group_actions[0]  # noqa: SLF001 (argparse does not return a group's options)
    for flag, about in {
        "--aws": {
            "nargs": "?",
            "const": _SAMPLE,
            "metavar": "SERVICE",
            "help": "a service of AWS, with jackfield-aws (default: a sample)",
        },
        "--http": {"action": "store_true", "help": "a REST API, with jackfield-http (default)"},
        "--openapi": {
            "metavar": "FILE",
            "help": "an OpenAPI document, a file or a URL, with jackfield-openapi",
        },
    }.items():
        parser.flags[flag] = kind.add_argument(flag, **about)  # type: ignore[arg-type]


def _run(arguments: Namespace, output: Output) -> int:
    if not _NAME.fullmatch(arguments.name) or len(arguments.name) > _LONGEST:
        text = f"'{arguments.name[:80]}' is not a key in kebab-case of at most {_LONGEST} letters"
        raise UsageError(
            text,
            usage=arguments.usage,
            hint="Use lower-case letters, digits and single hyphens, such as acme-crm.",
        )
    if arguments.name in RESERVED:
        text = f"the key '{arguments.name}' is reserved for jackfield itself"
        raise UsageError(text, usage=arguments.usage, hint="Choose another one, such as acme-crm.")
    folder = Path(arguments.name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInvocation(
            f"'{folder}' exists and is not an empty folder",
            hint="Choose another name, or remove it.",
        )
    words = _words(arguments.name)
    if arguments.openapi:
        code = _generate("openapi", arguments.openapi, arguments, output)
        _write_templates(_templates("openapi"), folder, {**words, **_checked(folder)})
        _tell_next(folder)
        return code
    if arguments.aws not in {None, _SAMPLE}:
        code = _generate("aws", arguments.aws, arguments, output)
        _tell_next(folder)
        return code
    files = _write_templates(
        _templates("aws" if arguments.aws else "python" if arguments.python else "http"),
        folder,
        words,
    )
    from jackfield_market.testing.grading import write_manifest

    files.append(write_manifest(folder))
    output.value({"folder": str(folder), "files": sorted(files)})
    _tell_next(folder)
    return 0


def _tell_next(folder: Path) -> None:
    report = folder / "openapi.report.json"
    first = (
        f"read {report}, which says what was left out or assumed; then " if report.is_file() else ""
    )
    sys.stderr.write(
        f"jackfield new: next {first}'pip install --editable {folder}', then 'jackfield check "
        f"{folder} --format lines'\n"
    )


def _generate(kind: str, source: str, arguments: Namespace, output: Output) -> int:
    """Generate the project from a description of a service by the command ``generate KIND``, and
    return the exit code.

    :raises InvalidInvocation: if no installed package has that command.
    """
    found = plugged().get(f"generate.{kind}")
    command = None if found is None else load_plugged(found)
    if not callable(command):
        raise InvalidInvocation(
            f"no installed package generates it: 'generate {kind}' is missing",
            hint=f"Install jackfield-{kind}.",
        )
    key = arguments.name
    given = [source, "--key", key, "--connector-version", "0.1.0", "--out", key]
    with redirect_stdout(output.stream):
        return command([*given, "--json"] if arguments.json else given) or 0


def _checked(folder: Path) -> dict[str, str]:
    """Return the settings of ``jackfield check`` that the generator has written into
    pyproject.toml.
    """
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    _, section, rest = text.partition(_CHECKED)
    return {"check": section + rest}


def _templates(kind: str) -> Path:
    """Return the folder of templates, without importing the package that contains it.

    :raises InvalidInvocation: if no installed package contains it.
    """
    if kind == "python":
        return Path(__file__).parent / "templates" / kind
    found = next(
        (
            folder
            for package in package_folders()
            if (folder := Path(package, "templates", kind)).is_dir()
        ),
        None,
    )
    if found is not None:
        return found
    raise InvalidInvocation(
        f"no installed package has templates for '{kind}'",
        hint=f"Install jackfield-{kind}, or use --python.",
    )


def _words(key: str) -> Mapping[str, str]:
    parts = key.split("-")
    pascal = "".join(part.capitalize() for part in parts)
    return {
        "key": key,
        "package": package_of(key),
        "title": " ".join(part.capitalize() for part in parts),
        "pascal": pascal,
        "camel": pascal[0].lower() + pascal[1:],
    }


def _write_templates(templates: Path, folder: Path, words: Mapping[str, str]) -> list[str]:
    written = []
    for template in _files(templates):
        name = _filled(
            str(template.relative_to(templates))
            .removesuffix(_SUFFIX)
            .replace("__package__", "{{package}}"),
            words,
        )
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(template.read_text(encoding="utf-8"), words), encoding="utf-8")
        written.append(name.replace(os.sep, "/"))
    return written


def _files(templates: Path) -> Iterator[Path]:
    yield from sorted(path for path in templates.rglob(f"*{_SUFFIX}") if path.is_file())


def _filled(text: str, words: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: words[found[1]], text)


VERBS = {"": Verb("Create the project for a new connector.", _declare, _run)}
