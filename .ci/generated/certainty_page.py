"""``docs/reference/certainty.md``: what is certain of a call, drawn from the tables that its
attempts act on.
"""

from __future__ import annotations

from collections.abc import Mapping

from generated.markdown import NOTICE, table
from jackfield.call import certainty

_HEAD = """# What is certain of a call

A call makes one attempt or several. The end of each adds facts to what is known of the call, and decides whether the attempt is
repeated. The facts decide what its caller is told of an error that ends it. `jackfield/call/certainty` has these tables, and
`jackfield/call/attempts` acts on them; a test plays each cell. [Effects and doubt](../concepts.md#effects-and-doubt) says why."""
_FACTS = {
    certainty.UNCLEAR: "unclear",
    certainty.UNREPEATABLE: "unrepeatable",
    certainty.ANSWERED: "answered",
    certainty.SILENT: "silent",
}


def page() -> str:
    """The page."""
    rows = [
        [f"`{kind}`", event, _named(row.adds), row.repeats if row.repeats != "never" else ""]
        for (kind, event), row in certainty.TABLE.items()
    ]
    verdicts = [[_named(known), f"`{told}`"] for known, told in certainty.VERDICTS.items()]
    facts = {_FACTS[fact]: sentence for fact, sentence in certainty.FACTS.items()}
    return (
        "\n\n".join(
            [
                NOTICE,
                _HEAD,
                table(["effect", "event", "adds", "repeated"], rows),
                "What a caller is told of an error that ends the call, by the facts:",
                table(["known", "told"], verdicts),
                "## Facts",
                _listed("fact", facts),
                "## Effects",
                _listed("effect", certainty.EFFECTS),
                "## Events",
                _listed("event", certainty.EVENTS),
                "## Repeats",
                _listed("repeated", certainty.REPEATS),
                "## What is told",
                _listed("told", certainty.TOLD),
            ]
        )
        + "\n"
    )


def _named(known: int) -> str:
    return ", ".join(f"`{name}`" for fact, name in _FACTS.items() if known & fact)


def _listed(what: str, sentences: Mapping[str, str]) -> str:
    return table(
        [what, "meaning"], [[f"`{name}`", sentence] for name, sentence in sentences.items()]
    )
