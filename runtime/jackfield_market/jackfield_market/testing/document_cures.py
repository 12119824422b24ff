"""Cures for connectors that are made from a document: their authors write an overlay or a shelf's
file, and no Python.

Advice about ``x-jackfield`` at the top of a document applies to ``x-shelf`` in a file of a shelf.
"""

from __future__ import annotations

from collections.abc import Mapping

from jackfield.manifest.manifest import Manifest
from jackfield_market.testing.subject import Rule

_ERRORS = (
    "Write rows into 'errors' of 'x-jackfield' at the top: {status, codes, error, hint, sent}."
)
_SCHEMA = "Correct the schema in the document: connector.json is made from it."
_PAGES = (
    "Correct 'pagination' in 'x-jackfield' of the operation: 'input' is a parameter or a member "
    "of the body; 'items', 'response', 'more'"
    " and 'last' are JSON Pointers to members that the response declares."
)
_PROBE = (
    "Write 'probe' into 'x-jackfield' of an operation that reads and needs the credentials, "
    "such as the GET of /me."
)
_EFFECT = (
    "Name a POST that reads, or may be repeated, in 'safe-posts' below [tool.jackfield.check] of "
    "pyproject.toml; else write "
    "'effect: write' into 'x-jackfield' of the operation."
)
_HOOK = (
    "Correct 'http.event' of the trigger: 'items', 'type', 'key' and 'at' are JSON Pointers "
    "into what is signed."
)

CURES: Mapping[str, str] = {
    "manifest-matches-code": (
        "Generate it again: 'jackfield generate openapi', of a shelf 'jackfield shelf build'. "
        "Nobody edits connector.json."
    ),
    "schemas-closed": _SCHEMA,
    "schemas-mean-the-same": _SCHEMA,
    "everything-explained": (
        "Write 'summary' of the operation, 'description' of its parameters, and 'title' and "
        "'description' of the sign-in: in 'connections'"
        " of 'x-jackfield' at the top, of a shelf in 'signIns'."
    ),
    "examples-present": "Write 'examples' into 'x-jackfield' of the operation: [{inputs: {…}, output: {…}}].",
    "examples-valid": (
        "Correct 'examples' in 'x-jackfield' of the operation, or the schema that refuses them."
    ),
    "paging-names-exist": _PAGES,
    "pages-are-complete": _PAGES,
    "lists-are-paged": (
        "Write 'pagination' into 'x-jackfield' of the operation, such as {kind: token, input: "
        "cursor, response: /next, items: /data}."
    ),
    "options-exist": (
        "Declare the source in 'optionSources' of 'x-jackfield' at the top, or correct its "
        "'fields'."
    ),
    "secrets-marked": (
        "Write x-jackfield: {secret: true} on the schema or the parameter, or {secret: "
        "false} if it is none."
    ),
    "recipients-marked": "Name the input in 'recipients' of 'x-jackfield' at the top.",
    "names-keep-to-form": (
        "Correct 'operationId', or write 'key' into 'x-jackfield' of the operation; keys of "
        "sign-ins and triggers are your own."
    ),
    "output-is-declared": _SCHEMA,
    "safe-is-safe": _EFFECT,
    "effects-fit-methods": _EFFECT,
    "keys-are-passed-on": "Write 'idempotencyHeader' into 'x-jackfield' of the operation.",
    "keys-have-an-age": (
        "Write 'keyKept' into 'x-jackfield' of the operation: the seconds that the provider's "
        "documentation names; 600 where it names none."
    ),
    "refusals-are-explained": _ERRORS,
    "failures-are-explained": _ERRORS,
    "broken-connections-are-explained": _ERRORS,
    "connection-test-present": _PROBE,
    "tests-change-nothing": _PROBE,
    "tests-refuse-bad-credentials": _PROBE,
    "actions-are-run": (
        "Add a sign-in whose values are all there is to it, such as {kind: bearer} for a token "
        "that was obtained elsewhere: nobody approves"
        " here. Where that is there, write 'examples' into 'x-jackfield' of the operations."
    ),
    "deprecations-explained": (
        "Quote the name of the replacement in 'description' of the parameter: \"Use 'region' "
        'instead."'
    ),
    "icon-present": "Write 'icon' into 'x-jackfield' at the top: data:image/svg+xml;utf8,…",
    "listed-for-people": (
        "Write 'description' of 'info', and 'categories', 'documentationUrl' and 'license' into "
        "'x-jackfield' at the top; of a shelf"
        " 'categories' and 'docs' into 'x-shelf'."
    ),
    "setup-explained": (
        "Write 'setup' of the sign-in: in 'connections' of 'x-jackfield' at the top, of a "
        "shelf in 'signIns' of 'x-shelf'."
    ),
    "permissions-declared": "Write 'permissions' into 'x-jackfield' of each operation, or of none.",
    "outputs-explained": "Write 'description' of each member of the response's schema; beside a '$ref', too.",
    "evidence-fits": (
        "Correct 'at' of 'marker', or the action and inputs of the row of 'evidence': each "
        "input that the read requires."
    ),
    "evidence-says-success": (
        "Write 'when' into the row of 'evidence': [{took: {/status: [values]}, refused: {/status: "
        "[values]}}], or [{}] if the thing is"
        " there only after a success, and no state in 'refused' that somebody brings about later "
        "(canceled);"
        " beside 'absentAfter' a 'canary' with 'shows', and {\"$fresh\": {}} in the inputs."
    ),
    "doubts-have-evidence": (
        "Write 'marker' and 'evidence' into 'x-jackfield' of the operation ('suggested' of "
        "openapi.report.json may have them), or the"
        " reason as 'noEvidence', which at the top is that of all."
    ),
    "triggers-are-explained": (
        "Write 'description' of the trigger and of its inputs, and 'setup' where a person "
        "enters its URL."
    ),
    "event-samples-fit": "Correct the example of the trigger, or its 'event'.",
    "webhooks-are-sampled": "Write 'request' into an example of the trigger: {body: {…}}.",
    "webhook-samples-fit": (
        "Correct the example of the trigger, or its 'http.event', which says where the event is."
    ),
    "webhook-keys-are-stable": _HOOK,
    "webhook-replays-are-known": _HOOK,
    "webhooks-refuse-malformed": _HOOK,
    "webhooks-register-once": (
        "Correct 'http.register' of the trigger: 'list' finds the URL at the provider, 'create' "
        "makes it, 'update' mends it."
    ),
    "webhooks-unregister": "Write 'remove' into 'http.register' of the trigger, with absent: [404].",
    "polls-miss-nothing": (
        "Correct 'http.poll' of the trigger: 'key' has what makes an event the same, 'at' its "
        "time, 'since' the input that takes it."
    ),
    "polls-begin-now": (
        "Correct 'since' in 'http.poll' of the trigger: the input that takes a time, and its form."
    ),
    "accounts-named": (
        "Write 'account' with the places of ID and label in the answer to the test into "
        "'x-jackfield' at the top, or of a shelf 'noAccount'"
        " if the provider names none."
    ),
}
"""Cures for the author of a document, by name of the rule. All other rules share one cure."""


def cure_of(rule: Rule, manifest: Manifest) -> str:
    """Return the cure for the faults of a rule, for the connector's author."""
    return CURES.get(rule.name, rule.cure) if is_made(manifest) else rule.cure


def is_made(manifest: Manifest) -> bool:
    """Return whether a connector was made from a document: its manifest binds every action to a
    request.
    """
    rows = [action.content.row for action in manifest.actions.values()]
    return bool(rows) and all("http" in row for row in rows)
