"""Rules for connectors without code whose manifest states its proof (``listing.proof``).

A fake of the provider judges them, and their facts about the provider must have been checked
recently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from jackfield_market.testing.fake_proof import action_faults, playable, sign_in_faults
from jackfield_market.testing.subject import Rule, Subject

_MONTH = timedelta(days=30.44)
WARNED, LIMIT = 12, 18
"""Months after which a fact seen on a page should, and must, be checked again."""

Json = Mapping[str, Any]


def _proof(subject: Subject) -> Json:
    found: Json = subject.manifest.raw.get("listing", {}).get("proof", {})
    return found


def _without_proof(subject: Subject) -> str | None:
    return None if _proof(subject) else "the manifest has no 'listing.proof'"


def _unplayable(subject: Subject) -> str | None:
    if not playable(subject.manifest.raw):
        return "no fake of the provider can be signed in at"
    return _without_proof(subject)


def _unnamed(subject: Subject) -> str | None:
    """Return the reason why the rule about accounts does not apply; None if it applies. A provider
    may hide the owner of a key.
    """
    given = subject.manifest.raw.get("listing", {}).get("noAccount")
    return f"the provider names no account: {given}" if given else _without_proof(subject)


def aged_facts(facts: Iterable[Json], months: int) -> Iterator[str]:
    """Yield a sentence for each fact that was seen more than ``months`` months ago."""
    earliest = datetime.now(UTC).date() - months * _MONTH
    for fact in facts:
        if date.fromisoformat(str(fact["on"])) < earliest:
            yield (
                f"'{fact['about']}' was seen on {fact['on']}, more than {months} months ago: "
                f"look at {fact['url']} again"
            )


def _accounts_named(subject: Subject) -> Iterator[str]:
    for row in subject.manifest.raw["connectionTypes"]:
        if row.get("http", {}).get("credentials") and "account" not in row["http"]:
            yield f"the test of the connection type '{row['key']}' does not name the account"


def _credentials_refused(subject: Subject) -> Iterator[str]:
    manifest = subject.manifest.whole()
    for kind in playable(manifest):
        yield from sign_in_faults(manifest, kind)


def _actions_run(subject: Subject) -> Iterator[str]:
    return action_faults(subject.manifest.whole())


def _facts_recent(subject: Subject) -> Iterator[str]:
    return aged_facts(_proof(subject).get("facts", ()), LIMIT)


def _facts_seen(subject: Subject) -> Iterator[str]:
    for text in _proof(subject).get("known", ()):
        yield f"{text}: not seen on a page of the provider"


LISTED = (
    Rule(
        "accounts-named",
        "The test of each connection names the account, so that two of one provider can be told "
        "apart.",
        _accounts_named,
        "silver",
        "Write 'account' with the places of ID and label in the answer to the connection test, "
        "or 'noAccount' if the provider names none.",
        reason=_unnamed,
    ),
    Rule(
        "credentials-checked",
        "At a fake of the provider, right credentials sign in; wrong and expired ones and a "
        "wrong client secret are refused.",
        _credentials_refused,
        "gold",
        "Correct the connection type or the error map: 'jackfield try' shows the connection's "
        "test.",
        reason=_unplayable,
    ),
    Rule(
        "actions-run",
        "At a fake of the provider, each action runs with the inputs of its example, and each "
        "list is read whole.",
        _actions_run,
        "gold",
        "Correct the action, its example or its paging: 'jackfield try --action' shows the call.",
        reason=_unplayable,
    ),
    Rule(
        "facts-recent",
        f"Each fact was seen on a page of the provider within {LIMIT} months.",
        _facts_recent,
        "gold",
        "Read the page again, correct the file, and write the new day in 'seen'.",
        reason=_without_proof,
    ),
    Rule(
        "facts-seen",
        "Each fact about the provider was seen on one of its pages.",
        _facts_seen,
        "platinum",
        "Look the facts in 'known' up, and move them to 'seen' with page and day.",
        reason=_without_proof,
    ),
)
"""Rules of connectors whose manifest has a proof."""
