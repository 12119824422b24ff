"""``schemas/manifest.schema.json``: contract §5."""

from __future__ import annotations

import typing

from generated import binding, mcp_binding
from generated.evidence import EVIDENCE, MARKER, NO_EVIDENCE
from generated.words import ACTION_KEY, CONNECTOR_KEY, Json, closed, document
from jackfield.connector.success_signs import SIGN
from jackfield.manifest.manifest import MANIFEST_VERSIONS, Effect, IdempotentBy, RepeatOk
from jackfield.manifest.parts import LONGEST_TEXT, LONGEST_TITLE, PROOFS
from jackfield.manifest.triggers import KINDS, LARGEST
from jackfield_http.bindings.options import SOURCE

_VERSION = (
    r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*((a|b|rc)(0|[1-9][0-9]*))?(\.post(0|[1-9][0-9]*))?(\.dev(0|[1-9][0-9]*))?"
    r"(\+[a-z0-9]+(\.[a-z0-9]+)*)?$"
)
"""PEP 440, appendix B, without epochs."""

_META = "https://json-schema.org/draft/2020-12/schema"
_TITLE: Json = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST_TITLE,
    "description": "For people: a name of a few words.",
}
_DESCRIPTION: Json = {
    "type": "string",
    "maxLength": LONGEST_TEXT,
    "description": "For people: one or more sentences.",
}
_MEMBER: Json = {"type": "string", "minLength": 1}
_KEY: Json = {"type": "string", "pattern": ACTION_KEY}
_OBJECT: Json = {"$ref": "#/$defs/object"}
_DESCRIBED: Json = {"$ref": "#/$defs/described"}
_FIELD: Json = {"$ref": "#/$defs/field"}


def _marks() -> Json:
    yes = {"const": True}
    return closed(
        {
            "order": {
                "type": "integer",
                "minimum": 1,
                "description": "The place of the field in a form.",
            },
            "multiline": {**yes, "description": "The field is a text of more than one line."},
            "language": {**_MEMBER, "description": "What is written in the field, such as 'html'."},
            "options": {
                "type": "string",
                "pattern": ACTION_KEY,
                "description": "The option source that lists the choices.",
            },
            "sensitive": {**yes, "description": "The value stays out of logs and messages."},
            "mask": {
                "const": "last4",
                "description": "The value is shown as its last four characters.",
            },
            "trim": {**yes, "description": "White space at both ends is not part of the value."},
            "lowercase": {**yes, "description": "The value is converted to lower case."},
            "blank": {"const": "absent", "description": "An empty value counts as missing."},
            "fromConnection": {
                **_MEMBER,
                "description": "The connection value that supplies a missing input.",
            },
            "fixed": {
                **yes,
                "description": "The connection's value, if it has one, decides: another input is "
                "'invalid_input'. On a value of a "
                "connection: a person who connects again in a connect session can neither see "
                "nor change it.",
            },
            "values": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Known values. The provider may accept others.",
            },
            "titles": {
                "type": "object",
                "additionalProperties": _MEMBER,
                "description": "Titles of the values of a choice; one without is shown as it is.",
            },
            "shownFor": {
                "type": "object",
                "additionalProperties": {
                    "type": "array",
                    "items": {"type": "string"},
                    "minItems": 1,
                },
                "minProperties": 1,
                "maxProperties": 1,
                "description": (
                    "Forms show this optional field while the field of this name beside it "
                    "has one of these values."
                ),
            },
            "expects": {
                **_MEMBER,
                "description": "Completes the sentence '… is not' if the pattern fails.",
            },
            "secret": {
                "const": False,
                "description": "The value is no secret, although its name suggests one.",
            },
            "recipient": {
                **yes,
                "description": "The value is an address that something is sent to.",
            },
            "destination": {
                "const": True,
                "description": "The value determines where the connection's secrets are sent.",
            },
            "audience": {
                "enum": ["user", "platform", "operator"],
                "description": (
                    "Who fills in the connection value. The connect page shows the user's. "
                    "Without it, its other marks decide."
                ),
            },
            "file": {
                "enum": ["stream", "output"],
                "description": (
                    "The value is a file: read as a stream, or stored and returned by reference."
                ),
            },
            "reference": {
                **yes,
                "description": "An ID of the provider, by which its later events name what was sent.",
            },
            "hidden": {
                **yes,
                "description": (
                    "Forms do not offer this optional field: it is accepted for compatibility only."
                ),
            },
            "generated": {
                "const": "externalId",
                "description": "The store generates the value if a stored connection lacks it.",
            },
        },
        description="What forms and messages need and JSON Schema has no word for.",
    )


def _field() -> Json:
    """Rules for a schema at any depth: objects with named members are closed, a secret is marked in
    both ways.
    """
    inner = {"additionalProperties": _FIELD}
    branches = {"items": _FIELD}
    is_object = {"required": ["type", "properties"], "properties": {"type": {"const": "object"}}}
    shut = {
        "required": ["additionalProperties"],
        "properties": {"additionalProperties": {"const": False}},
    }
    secret = {"required": ["writeOnly"], "properties": {"writeOnly": {"const": True}}}
    password = {"required": ["format"], "properties": {"format": {"const": "password"}}}
    return {
        "description": (
            "A schema of a value. Objects with named members are closed; secrets are "
            "writeOnly and of the format 'password'."
        ),
        "properties": {
            "x-jackfield": {"$ref": "#/$defs/marks"},
            "properties": inner,
            "additionalProperties": _FIELD,
            "items": _FIELD,
            "prefixItems": branches,
            "anyOf": branches,
            "oneOf": branches,
        },
        "allOf": [
            {"if": is_object, "then": shut},
            {"if": secret, "then": password},
            {"if": password, "then": secret},
        ],
    }


def _connection_type() -> Json:
    return closed(
        {
            "key": {"type": "string", "pattern": ACTION_KEY, "description": "camelCase."},
            "family": {
                "type": "string",
                "pattern": CONNECTOR_KEY,
                "description": "The family of connectors that share connections of this type.",
            },
            "serves": closed(
                {
                    "actions": {"type": "array", "items": _KEY, "minItems": 1, "uniqueItems": True},
                    "reason": {
                        **_MEMBER,
                        "description": "Why no others: what stands behind the colon of a refusal.",
                    },
                },
                ["actions", "reason"],
                "The only actions that can be called over this type; left out, all of them can.",
            ),
            "waives": {
                "type": "array",
                "items": _KEY,
                "minItems": 1,
                "uniqueItems": True,
                "description": "Inputs that no action requires over this type.",
            },
            "authorizes": {
                "type": "array",
                "items": {"enum": ["redirect", "device"]},
                "minItems": 1,
                "uniqueItems": True,
                "description": "The ways in which a person can approve a connection at the provider.",
            },
            "title": _TITLE,
            "description": _DESCRIPTION,
            "auth": {
                **_MEMBER,
                "description": "How it signs in: 'aws', 'apiKey', 'oauth2', 'custom' …",
            },
            "schema": {**_OBJECT, "description": "What the values must be."},
            "setup": {
                "type": "string",
                "maxLength": LONGEST_TEXT,
                "description": "How to get the values from the provider, in Markdown.",
            },
            "http": binding.credentials(),
        },
        ["key", "title", "description", "auth", "schema", "setup"],
        "What the connector needs to sign in.",
    )


def _pagination() -> Json:
    return closed(
        {
            "tokenInput": {**_MEMBER, "description": "The input that takes the page token."},
            "tokenOutput": {
                **_MEMBER,
                "description": (
                    "The output member that gives it: a name, a path, or alternatives "
                    "(`NextMarker || Keys[-1].Name`)."
                ),
            },
            "items": {**_MEMBER, "description": "The output's array, merged over pages."},
            "furtherTokens": {
                "type": "object",
                "additionalProperties": _MEMBER,
                "description": (
                    "Further tokens of a page: the output members by the inputs that take them."
                ),
            },
            "furtherItems": {
                "type": "array",
                "items": _MEMBER,
                "description": "Further output members to merge: arrays, numbers, texts.",
            },
            "more": {
                **_MEMBER,
                "description": (
                    "The output member that is true if more pages follow, whatever the tokens are."
                ),
            },
            "pageMembers": {
                "type": "array",
                "items": _MEMBER,
                "description": (
                    "Output members that are about one page, such as 'has_more': after all "
                    "pages, those of the last one."
                ),
            },
            "allInput": {**_MEMBER, "description": "The boolean input that asks for every page."},
            "sizeInput": {
                **_MEMBER,
                "description": "The input that says how many items a page has.",
            },
            "maxSize": {
                "type": "integer",
                "minimum": 1,
                "description": "The page size to use where every page is asked for.",
            },
        },
        ["tokenInput", "tokenOutput", "items"],
        "How the pages hang together.",
    )


def _example() -> Json:
    return closed(
        {
            "title": _TITLE,
            "invocation": {"$ref": "https://jackfield.dev/schemas/invocation/1"},
            "result": {"$ref": "https://jackfield.dev/schemas/result/1"},
        },
        ["title", "invocation", "result"],
        "An invocation and what it comes to.",
    )


def _action() -> Json:
    names = {"type": "array", "items": _MEMBER, "minItems": 1, "uniqueItems": True}
    return closed(
        {
            "key": {"type": "string", "pattern": ACTION_KEY, "description": "camelCase."},
            "title": _TITLE,
            "description": _DESCRIPTION,
            "effect": {
                "type": "string",
                "enum": list(typing.get_args(Effect)),
                "default": "write",
                "description": "What it does to the world; it decides what may be repeated.",
            },
            "idempotentBy": {
                "enum": list(typing.get_args(IdempotentBy)),
                "description": (
                    "The condition of the effect 'idempotent': the provider knows a repeated "
                    "request by the idempotency key."
                ),
            },
            "keyKept": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": (
                    "Seconds for which the provider remembers an idempotency key, from the first "
                    "request under it; without it, 600. A request of unknown outcome is not sent "
                    "again later."
                ),
            },
            "sign": SIGN,
            "repeatOk": {
                "type": "array",
                "items": {"enum": list(typing.get_args(RepeatOk))},
                "minItems": 1,
                "uniqueItems": True,
                "description": (
                    "Error codes of a retry that mean success, because an earlier attempt "
                    "may have taken effect."
                ),
            },
            "marker": MARKER,
            "evidence": EVIDENCE,
            "noEvidence": NO_EVIDENCE,
            "inputs": {**_DESCRIBED, "description": "What the action takes."},
            "output": {**_DESCRIBED, "description": "What the action gives back."},
            "outputPolicy": {
                "enum": ["describe"],
                "description": (
                    "The output's schema is the provider's description: a difference is a "
                    "warning in the Result's meta."
                ),
            },
            "group": {
                **_MEMBER,
                "description": (
                    "For people: a heading under which actions are listed, the tag of searches."
                ),
            },
            "keywords": {
                "type": "array",
                "items": {**_MEMBER, "maxLength": 60},
                "maxItems": 20,
                "description": (
                    "What people search for when they mean the action, besides the words of "
                    "its key and texts."
                ),
            },
            "deprecated": {"const": True, "description": "The provider intends to remove it."},
            "http": binding.action(),
            "mcp": mcp_binding.action(),
            "preview": {
                **_OBJECT,
                "description": "Output of a dry run whose input 'preview' is true.",
            },
            "kind": {
                "const": "job",
                "description": (
                    "The action starts a job, which outlasts its call and is polled until it ends."
                ),
            },
            "cancellable": {
                "const": True,
                "description": "The provider can be asked to cancel the job.",
            },
            "handsOutCredentials": {
                "type": "boolean",
                "default": False,
                "description": "True: the output hands out credentials. Rules treat the action as "
                "a write, sources of connectors offer it "
                "by its full name only, it cannot be queued, and everyone but the caller of a "
                "call sees its output masked.",
            },
            "borrowsConnections": {
                "type": "boolean",
                "default": False,
                "description": "True: a rule can allow calls over connections of other connectors "
                "whose actions are bound to HTTP "
                "requests. Its inputs have 'method' and 'url'.",
            },
            "allowedWith": {
                **names,
                "description": (
                    "Other actions that the caller must be allowed to call, too: the output "
                    "lets its holder do the same."
                ),
            },
            "needsConnection": {
                "type": "boolean",
                "default": True,
                "description": (
                    "False: the action contacts nobody, and an invocation may leave "
                    "'connection' out."
                ),
            },
            "pagination": _pagination(),
            "permissions": {
                "type": "object",
                "description": "What the provider must allow, by system.",
                "additionalProperties": names,
                "examples": [{"aws:iam": ["ses:SendEmail"]}],
            },
            "rateLimit": closed(
                {
                    "perSecond": {
                        "type": "number",
                        "exclusiveMinimum": 0,
                        "description": "Calls a second.",
                    }
                },
                ["perSecond"],
                "What the provider allows for one account.",
            ),
            "examples": {
                "type": "array",
                "description": "Invocations, each with its Result.",
                "items": _example(),
            },
        },
        ["key", "title", "description", "effect", "inputs", "output"],
        "One thing that the connector can do.",
        allOf=[
            {
                "if": {"anyOf": [{"required": ["http"]}, {"required": ["mcp"]}]},
                "else": {"properties": {"inputs": _OBJECT, "output": _OBJECT}},
            }
        ],
    )


def _option_source() -> Json:
    return closed(
        {
            "key": {"type": "string", "pattern": ACTION_KEY, "description": "camelCase."},
            "title": _TITLE,
            "description": _DESCRIPTION,
            "needsConnection": {
                "type": "boolean",
                "description": "Whether the choices come from the provider.",
                "default": False,
            },
            "dependsOn": {
                "type": "array",
                "items": _KEY,
                "uniqueItems": True,
                "description": "Inputs that change the choices.",
            },
            "http": SOURCE,
        },
        ["key"],
        "Where a form field's choices come from.",
    )


def _sample() -> Json:
    place = {"type": "string", "pattern": "^(/|$)"}
    source = {
        "item": {"type": "object", "description": "One item of the provider's list."},
        **{
            name: {**place, "description": "A JSON Pointer into the item."} for name in ("id", "at")
        },
        "items": {**place, "description": "A JSON Pointer: where the list is in a response."},
        "since": {**_MEMBER, "description": "Query parameter for the earliest time."},
        "limit": {**_MEMBER, "description": "Query parameter for the items of a page."},
        "changes": {
            "type": "boolean",
            "description": "Whether the time is that of an item's last change.",
        },
    }
    headers = {"type": "object", "additionalProperties": {"type": "string"}}
    return closed(
        {
            "title": _TITLE,
            "inputs": {"type": "object", "description": "Inputs of the subscription."},
            "request": closed(
                {"body": True, "headers": headers},
                ["body"],
                "What the provider sends to a webhook.",
            ),
            "source": closed(source, ["item", "id", "at"], "What a poll reads."),
            "events": {
                "type": "array",
                "items": {"type": "object"},
                "description": "The events that it is.",
            },
            "registrations": {
                **place,
                "description": (
                    "A JSON Pointer: where the list of registrations is in the provider's response."
                ),
            },
        },
        ["title"],
        "A request of the provider, or a list of it, and the events that it is.",
    )


def _trigger() -> Json:
    seconds = {"type": "number", "exclusiveMinimum": 0}
    return closed(
        {
            "key": {"type": "string", "pattern": ACTION_KEY, "description": "camelCase."},
            "title": _TITLE,
            "description": _DESCRIPTION,
            "kind": {"enum": list(KINDS), "description": "The provider calls, or is asked."},
            "inputs": _OBJECT,
            "event": {
                **_DESCRIBED,
                "description": "Data of an event. Open: providers add members.",
            },
            "types": {
                "type": "array",
                "items": {"type": "string", "pattern": "^[a-z][A-Za-z0-9_]*$"},
                "uniqueItems": True,
            },
            "needsConnection": {
                "type": "boolean",
                "description": "Whether it uses a connection.",
                "default": True,
            },
            "interval": closed(
                {"defaultSeconds": seconds, "minSeconds": seconds}, [], "How often it is polled."
            ),
            "webhook": closed(
                {
                    "maxBodyBytes": {"type": "integer", "minimum": 1, "maximum": LARGEST},
                    "registers": {
                        "type": "boolean",
                        "description": "Whether the connector registers the URL at the provider.",
                    },
                    "signature": binding.signature(),
                },
                [],
                "How it is received.",
            ),
            "compares": {
                "type": "boolean",
                "description": "Whether a list is compared with what it had before.",
                "default": False,
            },
            "setup": _DESCRIPTION,
            "permissions": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": _MEMBER},
            },
            "examples": {"type": "array", "items": _sample()},
            "http": binding.trigger(),
        },
        ["key", "title", "description", "kind", "inputs", "event"],
        "One thing that the connector can watch.",
    )


def _listing() -> Json:
    text = {**_MEMBER, "maxLength": LONGEST_TEXT}
    day = {"type": "string", "format": "date"}
    fact = closed(
        {"about": text, "url": {"type": "string", "format": "uri"}, "on": day},
        ["about", "url", "on"],
        "A fact on a page.",
    )
    return closed(
        {
            "tasks": {
                "type": "object",
                "additionalProperties": _KEY,
                "maxProperties": 20,
                "description": "Everyday tasks in words, each with the action that does it.",
                "examples": [{"create a jira issue": "createIssue"}],
            },
            "review": {
                **text,
                "description": "What the provider asks of an application before its users may approve.",
            },
            "noAccount": {
                **text,
                "description": (
                    "Why a connection test cannot say whose account it is: the provider names none."
                ),
            },
            "proof": closed(
                {
                    "tier": {
                        "enum": list(PROOFS),
                        "description": (
                            "'written' from what is known, 'checked' against a document of "
                            "the provider, or 'recorded' there."
                        ),
                    },
                    "on": {**day, "description": "The day of that document or recording."},
                    "document": {**text, "description": "The document."},
                    "facts": {
                        "type": "array",
                        "items": fact,
                        "description": "What was seen on pages of the provider, and when.",
                    },
                    "known": {
                        "type": "array",
                        "items": text,
                        "description": "What was known, and not seen on a page of the provider.",
                    },
                },
                ["tier"],
                "Proof that what the manifest says about the provider is true.",
            ),
        },
        [],
        "For lists and pages of a catalogue.",
    )


def schema() -> Json:
    """The schema of a manifest."""
    listed = {"type": "array"}
    members = {
        "manifestVersion": {
            "enum": list(MANIFEST_VERSIONS),
            "description": "2: actions have the members of bodies as inputs "
            "('http.body.members'); an object 'body' is taken, "
            "too, and a member that is given in both ways is refused. Version 1 stays readable.",
        },
        "key": {
            "type": "string",
            "pattern": CONNECTOR_KEY,
            "description": "kebab-case.",
        },
        "title": _TITLE,
        "description": _DESCRIPTION,
        "version": {
            "type": "string",
            "pattern": _VERSION,
            "description": "The connector's version (PEP 440).",
        },
        "icon": {**_MEMBER, "description": "A picture: a path inside the package, or a data: URL."},
        "categories": {
            "type": "array",
            "items": _MEMBER,
            "uniqueItems": True,
            "description": "For lists: what it is about.",
        },
        "documentationUrl": {
            "type": "string",
            "format": "uri",
            "description": "A page of the provider for developers.",
        },
        "license": {**_MEMBER, "description": "An SPDX expression."},
        "listing": _listing(),
        "hosts": {
            "type": "array",
            "items": {
                "type": "string",
                "pattern": r"^(\*\.[A-Za-z0-9-]+\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
            },
            "uniqueItems": True,
            "description": "Public hosts that the connector connects to besides those that a "
            "connection names. An isolated connector "
            "reaches no other.",
        },
        "model": {
            **_MEMBER,
            "description": (
                "The service description that the actions were made from, for the package "
                "that runs them."
            ),
        },
        "servers": binding.servers(),
        "http": binding.requests(),
        "mcp": mcp_binding.server(),
        "connectionTypes": {
            **listed,
            "description": "Ways to sign in.",
            "items": _connection_type(),
        },
        "actions": {**listed, "description": "What it can do.", "items": _action()},
        "optionSources": {
            **listed,
            "description": "Lists of choices for fields of forms.",
            "items": _option_source(),
        },
        "triggers": {**listed, "description": "What it can watch.", "items": _trigger()},
        "$defs": {
            "type": "object",
            "additionalProperties": {"$ref": _META},
            "description": "Schemas that those of actions refer to.",
        },
        "aliases": {
            "type": "object",
            "description": "Other names under which callers of other systems know these things.",
        },
    }
    required = [
        "manifestVersion",
        "key",
        "title",
        "description",
        "version",
        "connectionTypes",
        "actions",
    ]
    described = {
        "$ref": _META,
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"const": "object"}},
    }
    definitions = {
        "described": described,
        "object": {**described, "allOf": [_FIELD]},
        "field": _field(),
        "marks": _marks(),
    }
    about = (
        "A connector as data: what a host knows of it without running its code. It lies "
        "inside the wheel as connector.json."
    )
    return document(
        "manifest", "Manifest", about, {**closed(members, required), "$defs": definitions}
    )
