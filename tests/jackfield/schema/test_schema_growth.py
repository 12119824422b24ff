"""Time on a caller's text grows with its length and no faster (security finding 1)."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import jackfield
import jackfield_aws
import jackfield_aws_ses
import jackfield_celery
import jackfield_dapr
import jackfield_formats
import jackfield_http
import jackfield_isolation
import jackfield_market
import jackfield_openapi
import jackfield_service
import jackfield_store
import jackfield_vault
from growth import grows_faster_than_linear
from jackfield.schema.formats import mailbox_fault, mailbox_list_fault
from jackfield_aws_ses.addresses import AddressError, parse_mailboxes
from jackfield_dapr.workflow.notifying import recipients

_PACKAGES = (
    jackfield,
    jackfield_aws,
    jackfield_aws_ses,
    jackfield_celery,
    jackfield_dapr,
    jackfield_formats,
    jackfield_http,
    jackfield_isolation,
    jackfield_market,
    jackfield_openapi,
    jackfield_service,
    jackfield_store,
    jackfield_vault,
)
_SCANNING = frozenset({"search", "finditer", "findall", "sub", "subn", "split"})
_USES = re.compile(rf"\bre\.|\.(?:{'|'.join(sorted(_SCANNING - {'split'}))})\b|\b[A-Z_]+\.split\b")
_MOST_ATOMS = 6


@dataclass(frozen=True, slots=True)
class Shipped:
    """A compiled expression, its place, and True where it is searched for (tried at every position)
    instead of matched at one.
    """

    where: str
    pattern: re.Pattern[Any]
    scanning: bool


def shipped_patterns() -> list[Shipped]:
    """List every expression that a module compiles, writes inline, or that a connector's manifest
    holds.
    """
    found: dict[tuple[object, int, bool], Shipped] = {}
    for module in _modules():
        text = Path(str(module.__file__)).read_text("utf-8")
        # most modules use none, and parsing all of them takes seconds
        source = ast.parse(text if _USES.search(text) else "")
        for shipped in (*_compiled(module, _scanned(source)), *_inline(module, source)):
            found.setdefault(
                (shipped.pattern.pattern, shipped.pattern.flags, shipped.scanning), shipped
            )
    for package in _PACKAGES:
        for manifest in Path(str(package.__file__)).parent.rglob("connector.json"):
            for text in set(_in_schema(json.loads(manifest.read_text("utf-8")))):
                found.setdefault(
                    (text, 0, True),
                    Shipped(
                        f"{manifest.parent.name}/connector.json", re.compile(text), scanning=True
                    ),
                )
    return list(found.values())


def hard_texts(pattern: re.Pattern[Any], size: int) -> Iterator[Any]:
    """Make texts of about ``size`` characters: one or two characters that the expression knows,
    repeated, then one that nothing expects.
    """
    atoms = list(
        dict.fromkeys(_atoms(re._parser.parse(pattern.pattern, pattern.flags)))  # type: ignore[attr-defined]
    )[:_MOST_ATOMS]
    for first, second in product(atoms, repeat=2):
        pump = chr(first) if first == second else chr(first) + chr(second)
        text = chr(first) + pump * (size // len(pump)) + "\x00"
        yield text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text


def _modules() -> Iterator[ModuleType]:
    for package in _PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                yield importlib.import_module(module.name)


def _compiled(module: ModuleType, scanned: set[str]) -> Iterator[Shipped]:
    for name, value in vars(module).items():
        for pattern in _patterns_in(value):
            yield Shipped(f"{module.__name__}.{name}", pattern, name in scanned)


def _patterns_in(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list | frozenset):
        for item in value:
            yield from _patterns_in(item)
    elif isinstance(value, dict):
        yield from _patterns_in(list(value.values()))


def _scanned(source: ast.Module) -> set[str]:
    """Return the names whose expression is searched for."""
    calls = (
        node
        for node in ast.walk(source)
        if isinstance(node, ast.Attribute) and node.attr in _SCANNING
    )
    return {node.value.id for node in calls if isinstance(node.value, ast.Name)}


def _inline(module: ModuleType, source: ast.Module) -> Iterator[Shipped]:
    for node in ast.walk(source):
        if not (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            continue
        text = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if (
            node.func.value.id == "re"
            and isinstance(text, str | bytes)
            and node.func.attr != "compile"
        ):
            yield Shipped(
                f"{module.__name__}:{node.lineno}",
                re.compile(text, re.DOTALL),
                node.func.attr in _SCANNING,
            )


def _in_schema(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "pattern" and isinstance(part, str):
                yield part
            yield from _in_schema(part)
    elif isinstance(value, list):
        for part in value:
            yield from _in_schema(part)


def _atoms(parsed: Any) -> Iterator[int]:
    """Yield a character for each literal and for each class of the expression."""
    for item in parsed:
        operation, argument = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        name = str(operation)
        if name in {"LITERAL", "NOT_LITERAL"}:
            yield argument if name == "LITERAL" else (argument + 1)
        elif name == "RANGE":
            yield argument[0]
        elif name == "ANY":
            yield ord("a")
        elif name == "CATEGORY":
            yield (
                ord(" ")
                if "SPACE" in str(argument)
                else ord("0")
                if "DIGIT" in str(argument)
                else ord("w")
            )
        elif name == "NEGATE":
            yield from (ord("a"), ord(" "))
        elif isinstance(argument, tuple | list) or hasattr(argument, "data"):
            yield from _atoms([part for part in argument if not isinstance(part, int)])


REPEATED = (
    '\\"',
    '"',
    '"\\',
    '<"',
    '("',
    "<",
    "(",
    "a,",
    "a;",
    "(<",
    '",',
    "<(,",
    "a@x.io,",
    '"a"',
    "a@",
    "a.",
    "<>",
    "()",
    " ",
    "\\",
)


def parsed(text: str) -> object:
    """Read a list as the connector does; a refusal is an answer too."""
    try:
        return parse_mailboxes(text)
    except AddressError as error:
        return error


def judged(judge: Callable[[str], object], prefix: str, unit: str, size: int) -> object:
    """Judge a text of about ``size`` characters."""
    return judge(prefix + unit * (size // len(unit)))


@pytest.mark.parametrize("judge", [mailbox_list_fault, mailbox_fault, parsed, recipients])
@pytest.mark.parametrize("prefix", ["", '"'])
def test_s1_address_lists_are_scanned_in_linear_time(
    judge: Callable[[str], object], prefix: str
) -> None:
    """Fourfold input takes about fourfold time, whatever quotes and brackets are left open."""
    assert [
        unit
        for unit in REPEATED
        if grows_faster_than_linear(partial(judged, judge, prefix, unit), 10_000)
    ] == []


@lru_cache(maxsize=1)
def shipped() -> list[Shipped]:
    """List the expressions once for all tests."""
    return shipped_patterns()


def test_s1_no_shipped_expression_backtracks_polynomially() -> None:
    """Regexploit finds no ambiguous repetition in any expression of the code and the manifests.

    It knows no possessive quantifiers and atomic groups; those are judged as if they gave back what
    they took, which is stricter.
    """
    with warnings.catch_warnings():
        # regexploit imports the parser of re by its old name
        warnings.simplefilter("ignore", DeprecationWarning)
        from regexploit.ast.sre import SreOpParser
        from regexploit.redos import find
    assert len(shipped()) > 90
    found = []
    for one in shipped():
        text = (
            one.pattern.pattern
            if isinstance(one.pattern.pattern, str)
            else one.pattern.pattern.decode("latin-1")
        )
        plain = re.sub(r"([+*?}])\+", r"\1", text).replace("(?>", "(?:")
        if find(SreOpParser().parse_sre(plain, one.pattern.flags & re.VERBOSE)):
            found.append(one.where)
    assert found == []


def used(use: Callable[[Any], object], texts: Mapping[int, Any], size: int) -> object:
    """Use an expression on its text of that size."""
    return use(texts[size])


def test_s1_no_shipped_expression_takes_more_than_linear_time() -> None:
    """Texts made from each expression's own characters, fourfold, take fourfold time, in searches
    too, which regexploit does not judge.
    """
    slow = []
    for one in shipped():
        use = one.pattern.search if one.scanning else one.pattern.fullmatch
        for short, long in zip(
            hard_texts(one.pattern, 2_000), hard_texts(one.pattern, 8_000), strict=True
        ):
            if grows_faster_than_linear(partial(used, use, {2_000: short, 8_000: long}), 8_000):
                slow.append((one.where, long[:8]))
                break
    assert not slow
