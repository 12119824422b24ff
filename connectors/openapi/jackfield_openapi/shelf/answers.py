"""Answers about the provider in a service's file: to eight questions, and the facts behind
evidence.

Each answer has its page, or is ``unknown``, or ``none`` where the connector lacks the feature. An
unknown answer is displayed, and excludes the connector from the best grade.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

UNKNOWN = "unknown"
NONE = "none"
"""Answer to a question about a feature that the connector lacks."""
QUESTIONS: Mapping[str, str] = {
    "outcomes": "Outcomes of single items",
    "ends": "Ends of lists",
    "waits": "Where a wait is told",
    "limits": "Codes of limits",
    "repeats": "Refusals of what is done already",
    "approvals": "Ends of approvals",
    "empty": "Empty pages",
    "encodings": "Encodings",
}
FACTS: Mapping[str, str] = {
    "takes": "the write takes the member",
    "returns": "a read returns it",
    "finds": "that read finds it",
}
"""Facts about a provider that evidence requires."""
REASONS: Mapping[str, str] = {
    "seen": "People see each member that it takes: there is no place for a marker.",
    "fields": (
        "It keeps nothing beside the fields of the account's own: there is no place for a marker."
    ),
    "unread": "No read of this connector shows what it has done.",
    "unfound": "No read of this connector finds it by a member that would have a marker.",
    "state": "How a thing is now does not say which call has made it so.",
    "before": "The same thing may have been there before, made by another call.",
    "key": "Its idempotency key makes a repeat safe, and no read shows that key.",
    "form": "The member that would have a marker takes values of another form alone.",
    "apps": "The member that would have a marker is open to some applications or plans alone.",
    "several": "It sends several things at once, and there is no one place for a marker.",
    "second": "A marker would be set by a second request.",
}
"""Reasons why a write has no evidence, by the key that a file uses."""


def answer_faults(answers: object) -> Iterator[str]:
    """Yield a sentence for each unanswered question, and for each invalid answer."""
    rows = answers if isinstance(answers, dict) else {}
    if rows.keys() != {*QUESTIONS, "on"}:
        yield f"'answers' has 'on' and {', '.join(QUESTIONS)}"
    for name in QUESTIONS:
        row = rows.get(name, UNKNOWN)
        if row not in (UNKNOWN, NONE) and not (
            isinstance(row, dict) and row.keys() == {"says", "url"}
        ):
            yield f"'{name}' in 'answers' has 'says' and 'url', or is '{UNKNOWN}' or '{NONE}'"


def evidence_faults(found: Mapping[str, Any], operations: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each operation with evidence whose facts are missing, and for facts
    about an operation without evidence.
    """
    for name in sorted(found.keys() ^ {*operations}):
        yield (
            "'evidence' tells facts of the operations with evidence alone, and of each: see "
            f"'{name}'"
        )
    for name, row in found.items():
        if row.keys() != FACTS.keys():
            yield f"'{name}' in 'evidence' has {', '.join(FACTS)}: a page each, or '{UNKNOWN}'"


def told(about: Json) -> tuple[list[Json], list[str]]:
    """Return the facts with their pages, and the titles of unknown facts, in the form of a
    manifest's proof.
    """
    answers, facts, unknown = about.get("answers", {}), [], []
    day = str(answers.get("on"))
    for name, title in QUESTIONS.items():
        row = answers.get(name, UNKNOWN)
        if row == UNKNOWN:
            unknown.append(title)
        elif row != NONE:
            facts.append({"about": f"{title}: {row['says']}", "url": row["url"], "on": day})
    for key, pages in about.get("evidence", {}).items():
        for name, text in FACTS.items():
            if pages[name] == UNKNOWN:
                unknown.append(f"Evidence of {key}: {text}")
            else:
                facts.append({"about": f"Evidence of {key}: {text}", "url": pages[name], "on": day})
    return facts, unknown


def table(services: Mapping[str, Json]) -> Iterator[str]:
    """Yield the lines of a Markdown table: each service with its eight answers, each linked to its
    page.
    """
    yield f"| service | {' | '.join(QUESTIONS.values())} |"
    yield "|---" * (len(QUESTIONS) + 1) + "|"
    for key, about in services.items():
        yield (
            f"| {key} | "
            f"{' | '.join(_cell(about.get('answers', {}).get(name, UNKNOWN)) for name in QUESTIONS)} "
            "|"
        )


def _cell(row: Any) -> str:
    return (
        row if row in (UNKNOWN, NONE) else f"[{str(row['says']).replace('|', '/')}]({row['url']})"
    )
