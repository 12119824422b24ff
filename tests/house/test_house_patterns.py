"""Regular expressions take time that grows with the text, and no faster: each that is compiled in
the shipped code is tried on the texts that would cost it the most, and its steps are counted.

A pattern holds the interpreter's lock while it matches: 420 bytes of a provider stopped a server.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from tests.house.patterns import found_patterns
from tests.house.test_house_ways import MODULES, PACKAGES

from jackfield.call import borrowed
from jackfield.connections import locales
from jackfield.kernel.gaps import with_gaps
from jackfield.kernel.patterns import MAX_LARGE, Pattern, sorted_pattern
from jackfield.redaction import escapes
from jackfield_formats.convert import placeholders
from jackfield_service.shell.http import near_paths
from jackfield_service.shell.requests.row_order import CURSOR
from regex_steps import Steps, TooManySteps, costly_text

OWN = {
    "jackfield_store/database/statements.py:_PARAMETER": "our own SQL",
    "jackfield_store/database/statements.py:_END": "our own SQL",
    "jackfield_aws/virtual/manifests.py:_OF_A_DOCUMENT": "botocore's own descriptions",
    "jackfield_aws/virtual/texts.py:_ASIDES": "botocore's own descriptions, 8,000 characters each",
}
"""Patterns that take longer than linear time, and see no text of a caller or a provider. All others
are tried as if they did.
"""
LIMITED = {"jackfield_aws/virtual/code_words.py:_WORDS": 200}
"""Maximum characters of the texts that a pattern sees, where it takes longer than linear time."""
USED_AS = {
    "jackfield/schema/formats.py:PLAIN": ("fullmatch",),
    "jackfield/schema/formats.py:PLAIN_MAILBOX": ("fullmatch",),
    "jackfield/schema/formats.py:PLAIN_LIST": ("fullmatch",),
    "jackfield/schema/formats.py:_RUN": ("match",),
    "jackfield/schema/formats.py:_UNQUOTED_RUN": ("match",),
    "jackfield/connections/yaml_documents.py:_CORE": ("match",),
    "jackfield_formats/expression.py:_VALUE_FAULTS": ("match",),
    "jackfield_aws/policies.py:_VERBS": ("match",),
}
"""How patterns are used that the code holds under another name."""
EVERYWHERE, WHOLE = ("search_all",), ("fullmatch",)
MADE: dict[str, tuple[Callable[[], Iterable[Any]], tuple[str, ...]] | str] = {
    "jackfield/call/borrowed.py:_pattern": (
        lambda: [borrowed._pattern("/a/{x}/b/{y}/c/{z}/{w}.d", gap) for gap in ("[^/]+?", ".+?")],
        WHOLE,
    ),
    "jackfield/callers/rules.py:_glob": (
        lambda: [re.compile(with_gaps(["a", "b", "", "c"], [".*?"] * 3))],
        WHOLE,
    ),
    "jackfield/connections/aliases.py:_parts": (
        lambda: [re.compile(text) for text in _members_of_aliases("pattern")],
        EVERYWHERE,
    ),
    "jackfield_formats/vcap.py:_alias": (
        lambda: [re.compile(text) for text in _members_of_aliases("hosts")],
        EVERYWHERE,
    ),
    "jackfield/connections/locales.py:_pattern": (
        lambda: [locales._pattern("'{a}' of {b} is {c}, not {d}: {e}")],
        WHOLE,
    ),
    "jackfield/redaction/escapes.py:_compiled": (
        lambda: [one.pattern() for one in escapes.families(spaces=True, lines=True)],
        EVERYWHERE,
    ),
    "jackfield_service/shell/http/near_paths.py:_pattern": (
        lambda: [near_paths._pattern("/v1/{a}/b/{c}:d")],
        WHOLE,
    ),
    "jackfield_service/shell/http/parameters.py:_text_fault": (
        lambda: [re.compile(CURSOR), re.compile(f"^({CURSOR}|{CURSOR})$")],
        EVERYWHERE,
    ),
    "jackfield_formats/convert/placeholders.py:find": (
        lambda: [
            re.compile(f"{pattern}|{placeholders._BRACES}", re.IGNORECASE)
            for _, pattern in placeholders._PATTERNS.values()
        ],
        EVERYWHERE,
    ),
    "jackfield_service/shell/http/list_views.py:endpoint": "the cursor of the list, as above",
    "jackfield/kernel/hints.py:_kept_as": "our own hints, whose facts have at most 200 characters",
    "jackfield/redaction/needles.py:_quoted_printable": "one character",
    "jackfield_market/manifest_changes.py:refuse_step": "a version in the author's own changelog",
    "jackfield_market/testing/fake_service.py:_pattern": "paths of the author's own connector",
    "jackfield_market/testing/registrations.py:declared_step": "the same",
    "jackfield_market/testing/proving/writes.py:_is_renamed": "keys of the author's own program",
    "jackfield_aws_ses_simulator/aws/model.py:_routes": "paths of SES's own description",
}
"""Patterns that a function makes: examples of them and how they are used, or the reason why no
stranger's text costs more.
"""


def _members_of_aliases(name: str) -> Iterator[str]:
    """Yield the members of a name in the aliases that connectors declare."""
    for folder in PACKAGES.values():
        path = folder / "connector.json"
        waiting = [json.loads(path.read_text("utf-8")).get("aliases")] if path.exists() else []
        while waiting:
            found = waiting.pop()
            if isinstance(found, dict):
                yield from (value for key, value in found.items() if key == name)
                waiting += found.values()
            elif isinstance(found, list):
                waiting += found


def _costly(package: str) -> Iterator[str]:
    """Yield the patterns of a package that take longer than linear time, with a text that shows it;
    each pattern once.
    """
    seen: set[tuple[object, ...]] = set()
    for found in found_patterns()[0]:
        methods = USED_AS.get(found.place, found.methods)
        key = (found.pattern, methods)
        if found.place.partition("/")[0] != package or found.place in OWN or key in seen:
            continue
        seen.add(key)
        text = costly_text(found.pattern, methods, LIMITED.get(found.place))
        if text is not None:
            yield f"{found.place}: {text}"


@pytest.fixture(autouse=True)
def _deep() -> Iterator[None]:
    """Let the matcher call itself for each repetition."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(30_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("package", sorted({module.partition("/")[0] for module in MODULES}))
def test_no_pattern_takes_longer_than_linear_time(package: str) -> None:
    """Write a repeated part so that it can match in one way only, and make it possessive; see
    ``kernel/patterns``. A pattern that sees only our own text is in ``OWN``, with the reason.
    """
    assert list(_costly(package)) == []


@pytest.mark.parametrize("place", sorted(MADE))
def test_no_pattern_that_a_function_makes_takes_longer(place: str) -> None:
    """Examples with many parts are tried as all others."""
    made = MADE[place]
    if not isinstance(made, str):
        examples, methods = made
        assert [text for one in examples() if (text := costly_text(one, methods))] == []


def test_the_tables_name_what_there_is() -> None:
    """Each pattern that is made from a function's values has an example or a reason, and no table
    names what has gone.
    """
    patterns, made = found_patterns()
    assert set(made) == set(MADE)
    assert {*OWN, *LIMITED, *USED_AS} <= {found.place for found in patterns}
    assert len(patterns) > 600


def test_patterns_of_schemas_are_judged_in_linear_time_or_on_short_texts() -> None:
    """An engine of linear time takes them; look-around and very large patterns judge texts of a
    limited length (``kernel/patterns``).
    """
    judged: defaultdict[str, Pattern] = defaultdict()
    for folder in PACKAGES.values():
        for path in folder.glob("**/*.json"):
            waiting = [json.loads(path.read_text("utf-8"))]
            while waiting:
                found = waiting.pop()
                if isinstance(found, dict):
                    if isinstance(text := found.get("pattern"), str):
                        judged[text] = sorted_pattern(text)
                    waiting += found.values()
                elif isinstance(found, list):
                    waiting += found
    assert len(judged) > 30
    assert [text for text, one in judged.items() if (one.limit or 0) > MAX_LARGE] == []


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"(?:a|aa)*b", "match"),
        (r"(?:a+)+b", "fullmatch"),
        (r"a*a*b", "match"),
        (r"(?:<!--.*?-->\s*)*<html", "match"),
        (r"(?:[ \t]*(?:#.*)?(?:\r?\n|\Z))*\Z", "match"),
        (r"\s+$", "search_all"),
        (r"(\w+)=(\w+);", "search_all"),
        (r'"(?:[^"\\]|\\.)*"', "search_all"),
        (r"(?=.*x).", "search_all"),
        (r"(a*)\1\1b", "match"),
        (r".+/b/.+/c/.+/d", "fullmatch"),
        (r"(?i:[a-z]+)[A-Z]+!", "fullmatch"),
        (r"^(?!.*b.*c)", "match"),
        (r"x(?:ab?)*?(?:b?a)*c", "match"),
    ],
)
def test_a_pattern_that_grows_faster_is_found(pattern: str, method: str) -> None:
    """Exponential and quadratic ones, by backtracking and by a search that begins again at each
    character.
    """
    assert costly_text(re.compile(pattern), (method,)) is not None
    assert costly_text(re.compile(pattern.encode()), (method,)) is not None


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"(?:a|b)*c", "match"),
        (r"(?:a++)+b", "fullmatch"),
        (r"(?>(?:<!--(?>(?:[^-]|-(?!->))*)-->\s*+)*)<html", "match"),
        (r'"(?>(?:[^"\\]|\\.)*)(?:"|\\?\Z)', "search_all"),
        (r"(?>.*?a)(?>.*?b).*?c", "fullmatch"),
        (r"(?<!\s)\s++(?!\S)", "search_all"),
        (r"(a)?(?(1)b|c)(?<=b)", "fullmatch"),
    ],
)
def test_a_linear_pattern_is_not_found(pattern: str, method: str) -> None:
    """Where a part can match in one way only, or gives nothing back."""
    assert costly_text(re.compile(pattern, re.DOTALL), (method,)) is None


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<a>[ab]+?)(?:c|(?P=a))*+$",
        r"(?i)\bA(?:b{2,3}?|[^c])*(?<!c)",
        r"(?>a|ab)(?:c|d)*\Z",
        r"(a)?b(?(1)c|d)",
        r"(?m)^a*$",
    ],
)
def test_the_matcher_agrees_with_pythons(pattern: str) -> None:
    """It finds a match where Python's does, with the same end."""
    compiled = re.compile(pattern)
    steps = Steps(compiled)
    for number in range(4**6):
        text = "".join("abcd"[number >> shift & 3] for shift in range(0, 12, 2))[: number % 7]
        found = compiled.match(text)
        assert steps._ends(text, 0, whole=False) == (None if found is None else found.end())
    steps.limit = steps.taken
    with pytest.raises(TooManySteps):
        steps.match("a")
