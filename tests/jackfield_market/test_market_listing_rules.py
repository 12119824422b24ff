"""Rules of connectors whose manifest says how far it is proven: a fake of the provider judges them,
and old facts cost the grade.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jackfield.catalog import Catalog
from jackfield.manifest.manifest import Manifest
from jackfield_market.testing import ALL_RULES, Subject, judged
from jackfield_market.testing.listing_rules import LISTED, WARNED, aged_facts

Json = dict[str, Any]
_RULES = [rule.name for rule in LISTED]
_ACTIONS = 3


def _fact(days: int) -> Json:
    day = datetime.now(UTC).date() - timedelta(days=days)
    return {
        "about": "Lists have pages of 30",
        "url": "https://docs.github.com/rest",
        "on": day.isoformat(),
    }


def _subject(change: Callable[[Json], None]) -> Subject:
    """The connector of GitHub with few actions, a proof, and a change."""
    manifest = deepcopy(dict(Catalog.installed().find("github").whole()))
    manifest["actions"] = [
        action
        for action in manifest["actions"]
        if action["key"] in ("listGists", "getAuthenticated", "createGist")
    ]
    manifest["connectionTypes"] = [
        row for row in manifest["connectionTypes"] if row["key"] in ("accessToken", "oauth")
    ]
    manifest["triggers"], manifest["optionSources"] = [], []
    manifest["listing"] = {"proof": {"tier": "written", "facts": [_fact(100)]}}
    assert 0 < len(manifest["actions"]) <= _ACTIONS
    change(manifest)
    return replace(Subject.installed("github"), manifest=Manifest.from_json(manifest))


def test_a_sound_connector_keeps_the_rules() -> None:
    """Each rule applies, and finds nothing."""
    subject = _subject(lambda _manifest: None)
    assert {name: judged(subject, ALL_RULES[name]) for name in _RULES} == dict.fromkeys(_RULES, ())


def test_a_connector_without_a_proof_is_not_judged() -> None:
    """The rules are about what says of itself how far it is proven."""
    subject = _subject(lambda manifest: manifest.pop("listing"))
    assert {name: judged(subject, ALL_RULES[name]) for name in _RULES} == dict.fromkeys(_RULES)


def test_a_provider_that_names_no_account_is_not_judged_by_one() -> None:
    """The manifest says so, and why."""

    def change(manifest: Json) -> None:
        _without_account(manifest)
        manifest["listing"]["noAccount"] = "No answer has it."

    assert judged(_subject(change), ALL_RULES["accounts-named"]) is None


def _without_account(manifest: Json) -> None:
    manifest["connectionTypes"][0]["http"].pop("account")


def _with_a_wrong_error(manifest: Json) -> None:
    manifest["http"]["errors"]["rows"] = [{"status": 401, "error": "rejected"}]


def _with_a_wrong_example(manifest: Json) -> None:
    manifest["actions"][0]["examples"][0]["invocation"]["inputs"] = {"nobody": "knows"}


def _with_an_old_page(manifest: Json) -> None:
    manifest["listing"]["proof"]["facts"].append(_fact(560))


def _with_a_known_fact(manifest: Json) -> None:
    manifest["listing"]["proof"]["known"] = ["Codes of errors"]


def _gist(manifest: Json) -> Json:
    found: Json = next(row for row in manifest["actions"] if row["key"] == "createGist")
    return found


def _with_an_empty_success(manifest: Json) -> None:
    _gist(manifest)["examples"][0]["result"]["output"] = {}


def _with_words_of_errors(manifest: Json) -> None:
    _gist(manifest)["output"] = {"type": "object", "properties": {"message": {"type": "string"}}}


def _with_another_sign(manifest: Json) -> None:
    _gist(manifest)["sign"] = {"/state": "made"}


@pytest.mark.parametrize(
    ("rule", "change", "said"),
    [
        ("accounts-named", _without_account, "does not name the account"),
        ("credentials-checked", _with_a_wrong_error, "rejected, not unauthenticated"),
        ("actions-run", _with_a_wrong_example, "invalid_input"),
        (
            "facts-recent",
            _with_an_old_page,
            "more than 18 months ago: look at https://docs.github.com/rest again",
        ),
        ("facts-seen", _with_a_known_fact, "not seen on a page"),
        ("successes-shown", _with_an_empty_success, "shows no success"),
        ("successes-shown", _with_words_of_errors, "nothing but words that errors have"),
        ("successes-shown", _with_another_sign, "shows no success"),
    ],
)
def test_a_mistake_is_found(rule: str, change: Callable[[Json], None], said: str) -> None:
    """The rule that is named for it says what is wrong; the grade is below its tier."""
    found = judged(_subject(change), ALL_RULES[rule])
    assert found
    assert any(said in text for text in found)


def test_a_page_that_was_read_long_ago_is_a_warning() -> None:
    """After 12 months a build warns; the rule takes the grade down after 18."""
    assert list(aged_facts([_fact(300)], WARNED)) == []
    assert len(list(aged_facts([_fact(300), _fact(400)], WARNED))) == 1
    assert (
        judged(
            _subject(lambda manifest: manifest["listing"]["proof"]["facts"].append(_fact(400))),
            ALL_RULES["facts-recent"],
        )
        == ()
    )
