"""The members ``marker`` and ``evidence`` of an action, in ``schemas/manifest.schema.json``."""

from __future__ import annotations

from generated.words import ACTION_KEY, Json, closed
from jackfield.connector.evidence import LEAST_ABSENT, MAX_LOOKING, MAX_LOOKS, MOST_SIMILAR
from jackfield.connector.models import MAX_REASON
from jackfield.connector.proofs import MOST_WHEN

_POINTER: Json = {"type": "string", "pattern": "^(/[^/]*)*$"}
_NAMES: Json = {"type": "array", "items": {"type": "string"}}
_VALUES: Json = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": "^(/[^/]+)+$"},
    "additionalProperties": {
        "type": ["string", "number", "boolean", "null", "array"],
        "items": {"type": ["string", "number", "boolean", "null"]},
        "minItems": 1,
    },
}
MARKER: Json = {
    **closed(
        {
            "at": {
                "type": "string",
                "pattern": "^(/[^/]+)+$",
                "description": "A JSON Pointer to an input.",
            },
            "header": {
                "type": "string",
                "minLength": 1,
                "maxLength": 100,
                "description": "A header field of HTTP.",
            },
            "agent": {"const": True, "description": "A part of the User-Agent."},
            "code": {
                "type": "string",
                "minLength": 1,
                "maxLength": 100,
                "description": "A place that the action's own code fills in.",
            },
            "text": {
                "type": "string",
                "pattern": "\\{marker\\}",
                "maxLength": 100,
                "description": (
                    "What is appended to the text at 'at', with the marker in place of '{marker}'."
                ),
            },
            "given": {
                "type": "string",
                "minLength": 1,
                "description": (
                    "An input with evidence of the caller's own: then he also names the "
                    "places of the marker."
                ),
            },
            "values": {
                **_NAMES,
                "description": 'Inputs in which {"$marker": {}} then stands for the marker.',
            },
            "keyed": {
                "type": "string",
                "minLength": 1,
                "description": (
                    "An input with which the provider compares repeated requests: then all "
                    "attempts carry one marker."
                ),
            },
            "texts": {**_NAMES, "description": "Inputs in whose texts '{marker}' does."},
            "value": {
                "type": ["object", "array"],
                "description": "What is put at 'at' if that takes more than a text, with the "
                'marker in place of {"$marker": {}}. A '
                "list is appended to the caller's, if that has no item with the same id, key or "
                "name.",
            },
            "query": {
                "type": "string",
                "pattern": "^[A-Za-z][A-Za-z0-9_]{0,39}$",
                "description": (
                    "The parameter that is added to the address at 'at', to which the "
                    "provider tells what becomes of it."
                ),
            },
            "beside": {
                "type": "array",
                "items": {"type": "string", "pattern": "^(/[^/]+)+$"},
                "minItems": 1,
                "maxItems": 8,
                "description": "JSON Pointers to inputs of which the caller must give one: else "
                "there is no marker, which would stand in "
                "for what the provider requires.",
            },
        }
    ),
    "minProperties": 1,
    "oneOf": [{"required": [name]} for name in ("at", "header", "agent", "code", "given")],
    "dependentRequired": {
        "text": ["at"],
        "value": ["at"],
        "query": ["at"],
        "beside": ["at"],
        "values": ["given"],
        "texts": ["given"],
        "keyed": ["given"],
    },
    "not": {
        "anyOf": [
            {"required": ["text", "value"]},
            {"required": ["text", "query"]},
            {"required": ["value", "query"]},
        ]
    },
    "description": (
        "Where each attempt of a write leaves its marker, by which evidence finds it again "
        "after a lost answer."
    ),
}
_LOOK: Json = closed(
    {
        "key": {
            "type": "string",
            "pattern": ACTION_KEY,
            "description": "The name of the look, unique in its action.",
        },
        "action": {
            "type": "string",
            "pattern": ACTION_KEY,
            "description": "A read of the connector.",
        },
        "inputs": {
            "type": "object",
            "description": 'Its inputs. An object such as {"$marker": {}}, {"$input": "/to"}, '
            '{"$sent": "from"} or {"$key": {}} '
            "stands for a value of the call; "
            '{"$fresh": {}} is a text that no read has had before.',
        },
        "each": {
            **_POINTER,
            "description": (
                "The list in the output; without it, the output is the one thing that was "
                "asked for."
            ),
        },
        "match": {
            "type": "array",
            "minItems": 1,
            "items": {
                **closed({"at": _POINTER, "is": {}, "contains": {}}, required=("at",)),
                "oneOf": [{"required": ["is"]}, {"required": ["contains"]}],
            },
            "description": (
                "What the thing has that the call has made, as a whole or within a text: the "
                "marker or the key at least."
            ),
        },
        "output": {
            **_POINTER,
            "description": (
                "What of it becomes the output of the invocation, if it fits the action's schema."
            ),
        },
        "looks": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_LOOKS,
            "items": {"type": "number", "minimum": 1, "maximum": MAX_LOOKING},
            "description": "Seconds after the doubt at which it is made.",
        },
        "absentAfter": {
            "type": "number",
            "minimum": LEAST_ABSENT,
            "description": (
                "Seconds after the call's deadline from which on 'not found' proves that "
                "nothing took effect."
            ),
        },
        "page": {
            "type": "string",
            "minLength": 1,
            "maxLength": 300,
            "description": (
                "The provider's page that says what the look relies on, with the date on "
                "which it was read."
            ),
        },
        "similar": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_SIMILAR,
            "items": closed({"at": _POINTER, "is": {}}, required=("at", "is")),
            "description": (
                "What a thing without the marker has in common with what was sent. It proves "
                "nothing, and is shown to people."
            ),
        },
        "link": {
            "type": "string",
            "pattern": "^(https://[^/{}]+/|/)",
            "maxLength": 300,
            "description": (
                "Where people see what was found: an address with {/pointer} for values of "
                "it, or the pointer to an address."
            ),
        },
        "when": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_WHEN,
            "items": closed(
                {
                    "if": {
                        **_VALUES,
                        "description": (
                            "Inputs of the call with values for which the row counts; null: "
                            "not given."
                        ),
                    },
                    "took": {
                        **_VALUES,
                        "description": (
                            "Members of a thing with the values that mean success; null: not there."
                        ),
                    },
                    "refused": {
                        **_VALUES,
                        "description": (
                            "Members of a thing with the values that mean failure; null: not there."
                        ),
                    },
                    "code": {
                        **_POINTER,
                        "description": "The code of a failure's error in the thing.",
                    },
                    "message": {**_POINTER, "description": "Its message."},
                }
            ),
            "description": "What a thing that is found must say: the first row that fits the "
            "inputs counts, and any other value is no "
            "verdict. Without it, that the thing exists proves that the call took effect.",
        },
        "canary": {
            **closed(
                {
                    "action": {
                        "type": "string",
                        "pattern": ACTION_KEY,
                        "description": "A read of the connector.",
                    },
                    "inputs": {
                        "type": "object",
                        "description": "Its inputs, with placeholders but for the marker and the key.",
                    },
                    "shows": {
                        "anyOf": [_POINTER, {"type": "object", "minProperties": 1}],
                        "description": (
                            "What its output must have: a JSON Pointer to a list that is not "
                            "empty, or values by pointers. Without it, nothing is proven."
                        ),
                    },
                },
                required=("action",),
            ),
            "description": (
                "A read of what exists, which must succeed in the same look before 'not "
                "found' proves anything."
            ),
        },
        "absent": {
            **closed(
                {
                    "status": {
                        "type": "array",
                        "items": {
                            "type": "integer",
                            "minimum": 400,
                            "maximum": 499,
                            "not": {"const": 410},
                        },
                    },
                    "code": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "string", "minLength": 1},
                    },
                }
            ),
            "minProperties": 1,
            "description": (
                "The answer that says 'not found', by HTTP status and the provider's code, "
                "if it is no plain 404."
            ),
        },
        "id": {
            **_POINTER,
            "description": (
                "The ID of a thing, by which one that comes on two pages is one: /id unless given."
            ),
        },
    },
    required=("key", "action", "match"),
)
_EVENT: Json = closed(
    {
        "key": {
            "type": "string",
            "pattern": ACTION_KEY,
            "description": "The name of the evidence, unique in its action.",
        },
        "trigger": {
            "type": "string",
            "pattern": ACTION_KEY,
            "description": "A trigger of the connector, whose events carry the marker.",
        },
    },
    required=("key", "trigger"),
)
_RECORD: Json = closed(
    {
        "key": {
            "type": "string",
            "pattern": ACTION_KEY,
            "description": "The name of the evidence, unique in its action.",
        },
        "source": {
            "type": "string",
            "maxLength": 100,
            "description": "A connector of the provider's own log, which only code can read.",
        },
    },
    required=("key", "source"),
)
_GIVEN: Json = closed(
    {
        "key": {
            "type": "string",
            "pattern": ACTION_KEY,
            "description": "The name of the evidence, unique in its action.",
        },
        "given": {
            "type": "string",
            "minLength": 1,
            "description": "An input with evidence of the caller's own.",
        },
        "action": {
            "type": "string",
            "pattern": ACTION_KEY,
            "description": "The action of the connector that reads.",
        },
        "inputs": {"type": "object", "description": "Its inputs."},
        "place": {
            "type": "string",
            "minLength": 1,
            "description": "Its input that the caller's evidence has.",
        },
        "within": {
            **_POINTER,
            "description": "The member of its output in which the caller's pointers are.",
        },
        "rules": {
            **_NAMES,
            "description": "Inputs of the call by which the canary's answer is judged, too.",
        },
    },
    required=("key", "given", "action", "place"),
)
EVIDENCE: Json = {
    "type": "array",
    "minItems": 1,
    "items": {"oneOf": [_LOOK, _EVENT, _RECORD, _GIVEN]},
    "description": (
        "What tells of a call of a write whose answer was lost: reads that find it again, "
        "events, and the provider's own log."
    ),
}
NO_EVIDENCE: Json = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_REASON,
    "description": (
        "Why nobody can find out what became of a call of a write whose answer was lost, for "
        "those who look at one."
    ),
}
