"""``docs/reference/conformance.md``, ``conformance-triggers.md`` and ``conformance-documents.md``:
the catalogue of rules, by tier.
"""

from __future__ import annotations

from generated.markdown import NOTICE, table
from jackfield.testing import ALL_RULES, Rule
from jackfield_market.testing.document_cures import CURES
from jackfield_market.testing.rules import TRIGGER_RULES
from jackfield_market.testing.subject import TIERS

_HEAD = """# Conformance rules

[`jackfield check PATH`](cli-make.md#check) judges a connector by these rules and computes its grade: the highest tier for which no rule
of that tier or a lower one failed. A rule that does not apply is not counted, and the report gives the reason. Names are stable.
Connectors that are made from a document have [fixes of their own](conformance-documents.md).

| tier | stands for |
| --- | --- |
| bronze | It loads, its manifest is correct, secrets and the operator's network are safe, and nothing is sent twice. |
| silver | Failures are explained, deadlines met, lists read whole, inputs described; it has tests, a README, an icon and a licence. |
| gold | Everything that a catalogue shows is present; at least three quarters of its actions have been run. |
| platinum | Each output member is also described, and each doubt has evidence, or the reason why there is none. |

The first rule, `connector-loads` (bronze), is that the connector can be imported; if it fails, the others cannot be judged.

A connector inherits the suite `jackfield.testing.Conformance` in its tests ([test a connector](../tutorial/testing.md)): each
rule of the first two tables and of those [about triggers](conformance-triggers.md) that applies is one test;
[what catalogues show](conformance-triggers.md#catalogue) has rules, too,
and pytest's summary lists the others as "not applicable" with the reason. Its
other tests use the [Testing API](testing.md).

Without more, the suite asserts every rule. `grade = "bronze"` in the class asserts the rules up to that grade, for a connector whose
source cannot satisfy the others yet, such as an OpenAPI document without descriptions: a higher rule that fails is an expected failure,
and the summary lists it as "not reached". A rule that then passes needs no change; raise `grade` to keep it so.

Programs can judge without pytest and in their own process: `judged(Subject.installed("notes"), ALL_RULES["secrets-marked"])` returns the
errors as sentences, or None if the rule does not apply."""

_DECLARED = """## Declarations

These rules read the declarations."""

_DRIVEN = """## Behaviour

These rules run each action that has an example against a server on loopback. They apply if a required value of a connection type has the
format `uri`, which then is the server's address. The server in turn responds with the
example's [recording](../tutorial/testing.md#record-and-replay) or else its output, refuses the request, fails, resets the connection,
hangs and sends single bytes. Otherwise, specify how to run actions in
pyproject.toml:

```toml
[tool.jackfield.check]
connection = "notesToken"
values = { endpoint = "${url}", token = "conformance-secret-4711" }
headers = { x-request-id = "r-1" }
safe-posts = ["searchNotes"]

[tool.jackfield.check.left-out]
importNotes = "its responses are XML"
```

| option | meaning |
| --- | --- |
| `connection` | the connection type to use |
| `values` | its values; `${url}` stands for the server's address. With `conformance-secret-4711` as secret, the rules also search for it |
| `headers` | headers of every response |
| `safe-posts` | actions that read, or may be repeated, although they send a POST |
| `left-out` | actions that the server cannot stand in for, with the reason, which the report repeats |
| `answers` | responses by request, such as `"GET /projects" = {data = [{key = "core"}]}`: where outputs have another form |"""

_SHOWN = """## Catalogue

These rules are about what people see before they install a connector. Those about the project's files do not apply to an installed
wheel."""


_TRIGGERS = """# Conformance rules: triggers and catalogue

## Triggers

Rules about [triggers](../tutorial/triggers.md); [Conformance rules](conformance.md) has the others, and what tiers mean. Requests of
webhooks are made from the examples, signed, and forged, repeated and broken; polls read a made-up list on a server on loopback."""


_MADE = """# Conformance rules: connectors made from a document

Authors of an [overlay](../tutorial/openapi.md#curate) or of the file of a [shelf](../tutorial/shelf.md) write no Python. Of a connector
whose actions are all made from a document, the report names what to write there; the other rules have
[one fix](conformance.md) for all. What is said of `x-jackfield` at the top is said of `x-shelf` where the file is one of a shelf."""


def documents_page() -> str:
    """The page of what authors of documents write."""
    rules = sorted(
        (ALL_RULES[name] for name in CURES), key=lambda rule: (TIERS.index(rule.tier), rule.name)
    )
    rows = [(f"`{rule.name}`", rule.tier, CURES[rule.name]) for rule in rules]
    return "\n\n".join([NOTICE, _MADE, table(("rule", "tier", "fix"), rows)]) + "\n"


def triggers_page() -> str:
    """The page of rules about triggers, and of those about what people see before they install a
    connector.
    """
    triggers = sorted(
        (ALL_RULES[name] for name in TRIGGER_RULES),
        key=lambda rule: (TIERS.index(rule.tier), rule.name),
    )
    shown = sorted(
        (rule for rule in ALL_RULES.values() if _is_shown(rule)),
        key=lambda rule: TIERS.index(rule.tier),
    )
    return "\n\n".join([NOTICE, _TRIGGERS, _rows(triggers), _SHOWN, _rows(shown)]) + "\n"


def page() -> str:
    """The page of all other rules."""
    others = (
        rule
        for rule in ALL_RULES.values()
        if rule.name not in TRIGGER_RULES and not _is_shown(rule)
    )
    rules = sorted(others, key=lambda rule: TIERS.index(rule.tier))
    driven, declared = (
        [rule for rule in rules if rule.drives is drives] for drives in (True, False)
    )
    return "\n\n".join([NOTICE, _HEAD, _DECLARED, _rows(declared), _DRIVEN, _rows(driven)]) + "\n"


def _is_shown(rule: Rule) -> bool:
    return rule.check.__module__.endswith(".shelf") and rule.name not in TRIGGER_RULES


def _rows(rules: list[Rule]) -> str:
    return table(
        ("rule", "tier", "requires", "fix"),
        [(f"`{rule.name}`", rule.tier, rule.says, rule.cure) for rule in rules],
    )
