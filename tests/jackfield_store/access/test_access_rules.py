"""Rules: what a pattern means, and which rule decides."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield.callers import INLINE, PatternError, Request, Rules, Scope, decide, may, rule
from jackfield.kernel.errors import InvalidInvocation, NotAllowed
from jackfield.kernel.hints import worded

MAIL = Request("aws-ses", "sendEmail", "write", "acme-ses")
NONE = Rules()


@pytest.mark.parametrize(
    ("pattern", "request_", "fits"),
    [
        ("*", MAIL, True),
        ("aws-ses/sendEmail", MAIL, True),
        ("aws-ses/sendemail", MAIL, False),
        ("aws-ses/*", MAIL, True),
        ("*/sendEmail", MAIL, True),
        ("aws-*/send*", MAIL, True),
        ("*ses/*Email", MAIL, True),
        ("aws-*/list*", MAIL, False),
        ("aws-s/*", MAIL, False),
        ("*a*w*s*/*", MAIL, True),
        ("aws-ses/s*s*dEmail", MAIL, False),
        ("connection:acme-ses", MAIL, True),
        ("connection:acme-*", MAIL, True),
        ("connection:other-*", MAIL, False),
        ("connection:*", MAIL, True),
        ("connection:*", Request("echo", "say"), False),
        ("connection:*", Request("echo", "say", "read", INLINE), True),
        ("connection:@inline", Request("echo", "say", "read", INLINE), True),
        ("connection:@inline", MAIL, False),
        ("connection:acme-*", Request("echo", "say", "read", INLINE), False),
        ("effect:write", MAIL, True),
        ("effect:read", MAIL, False),
        ("effect:change", MAIL, True),
        ("effect:change", Request("stripe", "createRefund", "idempotent"), True),
        ("effect:change", Request("stripe", "listRefunds", "read"), False),
        ("stripe/* & effect:change", Request("stripe", "createRefund", "idempotent"), True),
        ("effect:write", Request("stripe", "createRefund", "idempotent"), False),
        ("effect:write&connection:acme-*", MAIL, True),
        ("aws-ses/* & effect:read", MAIL, False),
        ("aws-ses/* & effect:write & connection:acme-ses", MAIL, True),
    ],
)
def test_what_patterns_fit(pattern: str, request_: Request, fits: bool) -> None:
    """A pattern fits by connector and action, connection or effect; all terms must fit, and ``*``
    stands for any characters.
    """
    assert rule(pattern).fits(request_) is fits


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "an empty term"),
        ("aws-ses/*&", "an empty term"),
        ("aws-ses", "'aws-ses' is not a valid term"),
        ("AWS-SES/*", "not a connector's key"),
        ("a/b/c", "not a connector's key"),
        ("aws-ses/", "not a connector's key"),
        ("effect:writes", "'writes' is not an effect; did you mean 'write'?"),
        ("effect:chang", "'chang' is not an effect; did you mean 'change'?"),
        ("effect:*", "is not an effect"),
        ("connection:", "not a connection's name"),
        ("connection:a b", "not a connection's name"),
        ("conection:acme", "unknown prefix 'conection:'; expected 'connection:' or 'effect:'"),
        ("x" * 501, "more than 500 characters"),
    ],
)
def test_patterns_that_mean_nothing(pattern: str, why: str) -> None:
    """A pattern that means nothing is refused with the reason."""
    with pytest.raises(PatternError) as caught:
        rule(pattern)
    assert why in str(caught.value)


def test_all_faults_at_once() -> None:
    """Rules tell every faulty pattern at once, each with its place."""
    with pytest.raises(InvalidInvocation) as caught:
        Rules.checked(["aws-ses/*", "aws"], ["effect:red"])
    assert [detail.path for detail in caught.value.details] == ["/rules/allow/1", "/rules/block/0"]
    assert caught.value.message == "2 patterns are not valid"


def test_too_many_patterns() -> None:
    """A list of rules has at most 1,000 patterns."""
    with pytest.raises(InvalidInvocation) as caught:
        Rules.checked([f"a{number}/*" for number in range(1001)])
    assert "more than 1,000" in caught.value.details[0].message


def test_rules_are_kept_as_json() -> None:
    """Rules come back from their JSON as they were, a pattern that is given twice once."""
    rules = Rules.checked(["aws-ses/*", "aws-ses/*"], ["effect:write"])
    assert rules.allow == ("aws-ses/*",)
    assert Rules.from_json(rules.to_json()) == rules
    assert Rules.from_json({}) == Rules()
    assert not Rules()
    assert all((Rules(("a/*",)), Rules(block=("a/*",)), Rules(approve=("a/*",))))


@pytest.mark.parametrize(
    ("workspace", "token", "scope", "allowed", "source", "sentence"),
    [
        (NONE, NONE, "invoke", True, "default", "neither the workspace nor the token has rules"),
        (NONE, None, None, True, "default", "neither the workspace nor the token has rules"),
        (NONE, NONE, "manage", True, "default", "neither the workspace nor the token has rules"),
        (
            NONE,
            NONE,
            "read",
            False,
            "scope",
            "the token's scope 'read' does not allow running actions",
        ),
        (Rules(("*",)), Rules(("*",)), "read", False, "scope", "scope 'read'"),
        (
            Rules(("aws-ses/*",)),
            NONE,
            "invoke",
            True,
            "workspace",
            "the workspace's allow pattern 'aws-ses/*' matches aws-ses/sendEmail",
        ),
        (
            NONE,
            Rules(("aws-ses/*",)),
            "invoke",
            True,
            "token",
            "the token's allow pattern 'aws-ses/*' matches",
        ),
        (
            Rules(("aws-ses/*",)),
            Rules(("effect:write",)),
            "invoke",
            True,
            "token",
            "the token's allow pattern 'effect:write'",
        ),
        (
            Rules(("echo/*",)),
            Rules(("*",)),
            "invoke",
            False,
            "workspace",
            "no allow pattern of the workspace matches aws-ses/sendEmail",
        ),
        (
            Rules(("*",)),
            Rules(("echo/*", "effect:read")),
            "manage",
            False,
            "token",
            "it has 'echo/*', 'effect:read'",
        ),
        (
            Rules(("*",), ("effect:write",)),
            Rules(("*",)),
            "invoke",
            False,
            "workspace",
            "the workspace's block pattern 'effect:write' forbids",
        ),
        (
            NONE,
            Rules(("*",), ("connection:acme-*",)),
            "invoke",
            False,
            "token",
            "block pattern 'connection:acme-*' forbids",
        ),
        (Rules((), ("echo/*",)), NONE, "invoke", True, "default", "no block pattern matches"),
        (Rules((), ("aws-ses/*",)), None, None, False, "workspace", "block pattern 'aws-ses/*'"),
    ],
)
def test_which_rule_decides(
    workspace: Rules,
    token: Rules | None,
    scope: Scope | None,
    allowed: bool,
    source: str,
    sentence: str,
) -> None:
    """The scope goes first, what blocks goes before what allows, and both the workspace and the
    token must allow.
    """
    decision = decide(workspace, token, scope, MAIL)
    assert (decision.allowed, decision.source) == (allowed, source)
    assert sentence in decision.rule


def test_the_trail() -> None:
    """A decision tells each pattern that was looked at, in order, and whether it fitted."""
    decision = decide(
        Rules(("aws-ses/*",), ("echo/*",)),
        Rules(("effect:read", "effect:write", "*")),
        "invoke",
        MAIL,
    )
    assert decision.to_json()["trail"] == [
        {"source": "workspace", "list": "block", "pattern": "echo/*", "fits": False},
        {"source": "workspace", "list": "allow", "pattern": "aws-ses/*", "fits": True},
        {"source": "token", "list": "allow", "pattern": "effect:read", "fits": False},
        {"source": "token", "list": "allow", "pattern": "effect:write", "fits": True},
    ]


def test_a_refusal_is_an_error() -> None:
    """A refusing decision makes the error ``not_allowed`` with its sentence, which HTTP answers
    with 403.
    """
    refusal = decide(Rules(("echo/*",)), None, None, MAIL).refusal()
    assert isinstance(refusal, NotAllowed)
    assert (refusal.code, refusal.http_status, refusal.exit_code, refusal.retryable) == (
        "not_allowed",
        403,
        2,
        False,
    )
    assert "no allow pattern of the workspace matches" in refusal.message
    assert "workspaces set" in str(worded(refusal.hint, "cli"))
    guarded = decide(Rules(("echo/*",)), None, None, MAIL).refusal(in_full=False)
    assert (
        guarded.message
        == "not allowed: the rules of the workspace forbid aws-ses/sendEmail with 'acme-ses'"
    )


def test_many_patterns_are_named_in_part() -> None:
    """Of a long list of patterns the sentence names ten."""
    decision = decide(NONE, Rules(tuple(f"c{number}/*" for number in range(20))), "invoke", MAIL)
    assert decision.rule.endswith("'c9/*', …")


def test_stored_patterns_that_cannot_be_read() -> None:
    """A stored pattern of a newer jackfield that means nothing here allows nothing and blocks
    everything.
    """
    assert not decide(Rules(("time:night",)), None, None, MAIL).allowed
    assert not decide(Rules((), ("time:night",)), None, None, MAIL).allowed


@pytest.mark.parametrize(
    ("scope", "able"),
    [("read", ["read"]), ("invoke", ["read", "invoke"]), ("manage", ["read", "invoke", "manage"])],
)
def test_scopes_include_the_smaller_ones(scope: Scope, able: list[Scope]) -> None:
    """``invoke`` may also read, and ``manage`` may do all."""
    needs: tuple[Scope, ...] = ("read", "invoke", "manage")
    assert [needed for needed in needs if may(scope, needed)] == able


def test_inline_connections_are_named_in_words() -> None:
    """The sentence says that a connection was given inline."""
    assert (
        "with an inline connection"
        in decide(Rules((), ("*",)), None, None, Request("echo", "say", "read", INLINE)).rule
    )


@given(st.text("ab*", max_size=12), st.text("ab", max_size=12))
def test_stars_stand_for_any_characters(pattern: str, name: str) -> None:
    """A glob fits exactly where the stars can be filled in, whatever their number and places."""

    def fits(glob: str, text: str) -> bool:
        if not glob:
            return not text
        if glob[0] == "*":
            return any(fits(glob[1:], text[cut:]) for cut in range(len(text) + 1))
        return bool(text) and glob[0] == text[0] and fits(glob[1:], text[1:])

    assert rule(f"connection:x{pattern}").fits(Request("c", "a", "read", f"x{name}")) is fits(
        pattern, name
    )


def test_stars_cannot_make_a_match_slow() -> None:
    """A pattern of many stars is judged in no time, also where it does not fit."""
    begun = time.thread_time()
    assert not rule("connection:" + "a*" * 200 + "b").fits(Request("c", "a", "read", "a" * 100))
    assert time.thread_time() - begun < 1


@given(
    st.lists(
        st.sampled_from(
            ["aws-ses/*", "echo/*", "effect:write", "effect:read", "connection:acme-*", "*"]
        )
    ),
    st.data(),
)
def test_a_further_block_pattern_never_allows_more(
    patterns: list[str], data: st.DataObject
) -> None:
    """What is refused stays refused when a block pattern is added, and what is allowed stays so
    when an allow pattern joins others.
    """
    extra = data.draw(st.sampled_from(["aws-ses/*", "effect:write", "connection:x"]))
    fewer, more = (
        decide(Rules((), tuple(patterns)), None, None, MAIL),
        decide(Rules((), (*patterns, extra)), None, None, MAIL),
    )
    assert fewer.allowed or not more.allowed
    narrow, wide = (
        decide(Rules(("echo/*", *patterns)), None, None, MAIL),
        decide(Rules(("echo/*", *patterns, extra)), None, None, MAIL),
    )
    assert wide.allowed or not narrow.allowed
