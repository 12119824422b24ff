"""Rules that guard ``effect:write`` alone are accepted, and told what they leave out; so are
patterns that match nothing.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from jackfield.callers.rule_gaps import gaps, unmatched
from jackfield.callers.rules import Rules
from jackfield.catalog import Catalog
from jackfield_store.runtime import Jackfield


def idempotent(catalog: Catalog, *keys: str) -> int:
    """How many idempotent actions connectors have; all, if none is named."""
    manifests = [found for key in keys or catalog if (found := catalog.look(key)[1]) is not None]
    return sum(row.effect == "idempotent" for manifest in manifests for row in manifest.rows())


@pytest.fixture(name="catalog", scope="module")
def _catalog() -> Catalog:
    return Catalog.installed(environment={})


@pytest.mark.parametrize(
    ("rules", "paths", "connectors"),
    [
        (Rules(approve=("effect:write",)), ["/rules/approve/0"], None),
        (Rules(block=("slack/postMessage", "effect:write")), ["/rules/block/1"], None),
        (Rules(approve=("stripe/* & effect:write",)), ["/rules/approve/0"], ["stripe"]),
        (Rules(approve=("effect:write & connection:prod-*",)), ["/rules/approve/0"], None),
        (Rules(approve=("effect:write & connection:@inline",)), ["/rules/approve/0"], None),
        (Rules(("connection:acme-*",), approve=("effect:write",)), ["/rules/approve/0"], None),
        (
            Rules(("stripe/*", "github/* & connection:acme"), ("effect:write",)),
            ["/rules/block/0"],
            ["stripe", "github"],
        ),
        (Rules(block=("stripe/* & effect:write",), approve=("stripe/*",)), [], []),
        (Rules(block=("effect:write",), approve=("effect:idempotent",)), [], []),
        (
            Rules(block=("effect:change & */delete*",), approve=("effect:change", "effect:write")),
            [],
            [],
        ),
        (Rules(("effect:read",), approve=("effect:write",)), [], []),
        (Rules(("effect:write",)), [], []),
        (Rules(asks_writes=True), ["/writes"], None),
        (Rules(asks_writes=True, approve=("effect:change",)), [], []),
        (Rules(asks_writes=True, block=("effect:idempotent",)), [], []),
        (
            Rules(
                approve=(
                    "effect:write & connection:prod-*",
                    "effect:idempotent & connection:prod-*",
                )
            ),
            [],
            [],
        ),
        (
            Rules(
                approve=(
                    "effect:write & connection:prod-*",
                    "effect:idempotent & connection:test-*",
                )
            ),
            ["/rules/approve/0"],
            None,
        ),
    ],
)
def test_what_a_rule_leaves_out_is_counted(
    catalog: Catalog, rules: Rules, paths: list[str], connectors: list[str] | None
) -> None:
    """Of the actions that the rules allow and that no pattern blocks or lets wait; over the
    connections that the pattern means.
    """
    found = gaps(rules, lambda: catalog)
    assert [gap.path for gap in found] == paths
    for gap in found:
        assert gap.count == idempotent(catalog, *connectors or ()) > 0
        assert f"leaves out {gap.count:,} installed actions" in gap.to_json()["message"]
        connector, _, action = gap.example.partition("/")
        manifest = catalog.look(connector)[1]
        assert manifest is not None
        assert manifest.actions[action].rule_effect == "idempotent"


def test_a_pattern_of_one_action_says_one(catalog: Catalog) -> None:
    """In the singular, with what to write instead."""
    (found,) = gaps(Rules(approve=("github/deleteRepository & effect:write",)), lambda: catalog)
    assert found.to_json()["message"] == (
        "'github/deleteRepository & effect:write' leaves out 1 installed action that changes "
        "something, being idempotent, such as "
        "'github/deleteRepository'; 'github/deleteRepository & effect:change' covers all changes"
    )


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("strpe/*", "no connector 'strpe'; did you mean 'stripe'?"),
        ("strpe/createRefund & connection:acme", "no connector 'strpe'; did you mean 'stripe'?"),
        ("aws-ses/sendMail", "'aws-ses' has no action 'sendMail'; did you mean 'sendEmail'?"),
        ("connection:acme & http/zzz*", "'http' has no action 'zzz*'"),
        ("stripe/*", ""),
        ("stripe/create* & effect:change", ""),
        ("aws-ses/sendEmail", ""),
        ("st*/*", ""),
        ("*/delete*", ""),
        ("connection:nowhere", ""),
        ("aws.s3/putObject", ""),
        ("mcp.notes/add", ""),
    ],
)
@pytest.mark.parametrize("kind", ["allow", "block", "approve"])
def test_a_pattern_that_matches_nothing_is_told(
    catalog: Catalog, kind: str, pattern: str, reason: str
) -> None:
    """If it names a connector that is not installed, or no action of it; not for connectors of a
    family, which exist where a workspace is offered or stores them.
    """
    rules = Rules.from_json({kind: ["effect:read", pattern]})
    found = unmatched(rules, lambda: catalog)
    assert [(one.path, one.reason) for one in found] == (
        [(f"/rules/{kind}/1", reason)] if reason else []
    )


def test_no_catalog_is_read_for_other_rules() -> None:
    """Rules without such a pattern cost nothing."""

    def never() -> Catalog:
        raise AssertionError

    rules = Rules(("*",), ("*/delete*",), ("effect:change",))
    assert gaps(rules, never) == []
    assert unmatched(rules, never) == []


def test_the_library_logs_what_a_rule_leaves_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that sets rules has the warning in its log and in what ``set`` returns; a change of
    other settings warns nobody.
    """
    with (
        Jackfield(
            database_url=f"sqlite:///{tmp_path}/j.db", environment={}, connections=()
        ) as jackfield,
        caplog.at_level(logging.WARNING),
    ):
        workspaces = jackfield.access.workspaces
        made = workspaces.set("default", {"rules": {"approve": ["effect:write"]}})
        assert [warning["path"] for warning in made.warnings] == ["/rules/approve/0"]
        assert "the workspace 'default': the rule 'effect:write' leaves out" in caplog.text
        caplog.clear()
        assert workspaces.set("default", {"keepInputs": True}).warnings == ()
        assert workspaces.find("default").warnings == ()
        assert caplog.text == ""
        assert jackfield.access.settings.rules.approve == ("effect:write",)
