"""Time on a caller's text grows with its length and no faster (security finding 1)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import pytest
from tests.jackfield.schema.shipped_patterns import Shipped, hard_texts, shipped_patterns

from growth import grows_faster_than_linear
from jackfield.schema.formats import mailbox_fault, mailbox_list_fault
from jackfield_aws_ses.addresses import AddressError, parse_mailboxes
from jackfield_dapr.workflow.notifying import recipients

REPEATED = ('\\"', '"', '"\\', '<"', '("', "<", "(", "a,", "a;", "(<", '",', "<(,", "a@x.io,", '"a"', "a@", "a.", "<>", "()", " ", "\\")


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
def test_s1_address_lists_are_scanned_in_linear_time(judge: Callable[[str], object], prefix: str) -> None:
    """Fourfold input takes about fourfold time, whatever quotes and brackets are left open."""
    assert [unit for unit in REPEATED if grows_faster_than_linear(partial(judged, judge, prefix, unit), 10_000)] == []


@lru_cache(maxsize=1)
def shipped() -> list[Shipped]:
    """List the expressions once for all tests."""
    return shipped_patterns()


def test_s1_no_shipped_expression_backtracks_polynomially() -> None:
    """Regexploit finds no ambiguous repetition in any expression of the code and the manifests.

    It knows no possessive quantifiers and atomic groups; those are judged as if they gave back what they took, which is stricter.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # regexploit imports the parser of re by its old name
        from regexploit.ast.sre import SreOpParser
        from regexploit.redos import find
    assert len(shipped()) > 90
    found = []
    for one in shipped():
        text = one.pattern.pattern if isinstance(one.pattern.pattern, str) else one.pattern.pattern.decode("latin-1")
        plain = re.sub(r"([+*?}])\+", r"\1", text).replace("(?>", "(?:")
        if find(SreOpParser().parse_sre(plain, one.pattern.flags & re.VERBOSE)):
            found.append(one.where)
    assert found == []


def used(use: Callable[[Any], object], texts: Mapping[int, Any], size: int) -> object:
    """Use an expression on its text of that size."""
    return use(texts[size])


def test_s1_no_shipped_expression_takes_more_than_linear_time() -> None:
    """Texts made from each expression's own characters, fourfold, take fourfold time, in searches too, which regexploit does not judge."""
    slow = []
    for one in shipped():
        use = one.pattern.search if one.scanning else one.pattern.fullmatch
        for short, long in zip(hard_texts(one.pattern, 2_000), hard_texts(one.pattern, 8_000), strict=True):
            if grows_faster_than_linear(partial(used, use, {2_000: short, 8_000: long}), 8_000):
                slow.append((one.where, long[:8]))
                break
    assert not slow
