"""Curation of a connector as a whole: an overlay's settings in ``x-jackfield`` at the top of the
document, and examples of operations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.kernel.errors import did_you_mean
from jackfield.manifest.parts import PROOFS, example
from jackfield_http.accounts import ACCOUNT
from jackfield_http.bindings.connection import TOKEN_SETTINGS, name_of
from jackfield_http.bindings.error_rows import ERRORS
from jackfield_http.bindings.options import SOURCE as OF_SOURCE
from jackfield_http.bindings.responses import as_output
from jackfield_http.words import TABLE, WEB, closed
from jackfield_openapi.contents import Response
from jackfield_openapi.judging import Judge, refused
from jackfield_openapi.operations import Operation
from jackfield_openapi.sign_ins import ACCOUNTS
from jackfield_openapi.triggers import Triggers

Json = dict[str, Any]

_PLAIN = ("icon", "categories", "documentationUrl", "license", "listing")
_OF_REQUESTS = ("headers", "errors")
_OF_TYPES = ("key", "title", "description", "setup")
_TEXT: Json = {"type": "string"}
_TEXTS: Json = {"type": "array", "items": _TEXT}
TYPE: Json = {
    **dict.fromkeys(_OF_TYPES, _TEXT),
    "fields": {"type": "object", "additionalProperties": {"type": "object"}},
    **TOKEN_SETTINGS,
    **dict.fromkeys(("revocationUrl", "refreshUrl"), WEB),
    "fixed": closed({"username": _TEXT, "password": _TEXT}),
}
FACT: Json = {
    "type": "object",
    "properties": {"about": _TEXT, "url": {"type": "string", "pattern": "^https?://"}, "on": _TEXT},
    "required": ["about", "url", "on"],
    "additionalProperties": False,
}
_PROOF: Json = {
    "type": "object",
    "properties": {
        "tier": {"enum": list(PROOFS)},
        "on": _TEXT,
        "document": _TEXT,
        "facts": {"type": "array", "items": FACT},
        "known": _TEXTS,
    },
    "required": ["tier"],
    "additionalProperties": False,
}
_LISTING: Json = {
    "type": "object",
    "properties": {
        "tasks": {**TABLE, "maxProperties": 20},
        "review": _TEXT,
        "noAccount": _TEXT,
        "proof": _PROOF,
    },
    "additionalProperties": False,
}
SOURCE = closed(
    {
        "title": _TEXT,
        "description": _TEXT,
        "dependsOn": _TEXTS,
        "fields": _TEXTS,
        **OF_SOURCE["properties"],
    },
    ["title", "description", "fields", *OF_SOURCE["required"]],
)
_JUDGE = Judge(
    {
        "properties": {
            **dict.fromkeys(_PLAIN, _TEXT),
            "categories": _TEXTS,
            "listing": _LISTING,
            "headers": {"type": "object", "additionalProperties": _TEXT},
            "errors": ERRORS,
            "optionSources": {"type": "object", "additionalProperties": SOURCE},
            "recipients": _TEXTS,
            "sendsDefaults": {"type": "boolean"},
            "connections": {
                "type": "object",
                "additionalProperties": closed(TYPE),
            },
            "account": ACCOUNT,
        }
    }
)
_PLACE = re.compile(r"\{([A-Za-z0-9]+)\}")
"""Regular expression of a placeholder for a connection's value in a fixed part of a login."""
_MOST_ITEMS = 1
"""Maximum number of items in an example for each list of a documented response: one shows the
form.
"""


def own_examples(operation: Operation, response: Response) -> list[Json]:
    """Return the examples of an operation from its overlay: title, inputs and output; the output is
    by default the documented one.

    :raises InvalidInput: if one has no inputs.
    """
    found = []
    for given in _rows(operation.extension.get("examples")):
        if not isinstance(given.get("inputs"), dict):
            raise refused(f"an example of {operation.name} has no 'inputs'")
        output = given["output"] if isinstance(given.get("output"), dict) else _documented(response)
        title = (
            given.get("title")
            or operation.extension.get("title")
            or operation.raw.get("summary")
            or "Example"
        )
        found.append({"title": str(title)[:80], "inputs": given["inputs"], "output": output})
    return found


def _documented(response: Response) -> Json:
    return documented(shortened(response.example))


def documented(shown: Any) -> Json:
    """Return a documented response as an output; an empty object for None."""
    return {} if shown is None else as_output(shown)


def job_of(operation: Operation) -> Json | None:
    """Return the overlay's declaration of the job that an operation starts; None without one.

    :raises InvalidInput: if the handle or the poll is missing.
    """
    found = operation.extension.get("job")
    if found is None:
        return None
    if (
        not isinstance(found, dict)
        or not all(isinstance(found.get(name, {}), dict) for name in ("poll", "result"))
        or not found.get("handle")
        or not {"path", "to"} & found.get("poll", {}).keys()
    ):
        raise refused(
            f"'job' of {operation.name} needs a 'handle', and a 'poll' with 'path' or 'to'"
        )
    return found


def shortened(value: Any) -> Any:
    """Copy a documented response with at most one item of each list."""
    if isinstance(value, list):
        return [shortened(item) for item in value[:_MOST_ITEMS]]
    return (
        {name: shortened(item) for name, item in value.items()}
        if isinstance(value, dict)
        else value
    )


def curate(manifest: Json, extension: Any, triggers: Triggers) -> None:
    """Apply the document's ``x-jackfield`` to a manifest, and complete the examples of its actions.

    :raises InvalidInput: if ``x-jackfield`` has an unknown member or a value that is not valid.
    """
    given = extension if isinstance(extension, dict) else {}
    known = {
        "connections",
        "optionSources",
        "recipients",
        "triggers",
        "account",
        "signIns",
        "noEvidence",
        "sendsDefaults",
    }
    unknown = given.keys() - {*_PLAIN, *_OF_REQUESTS, *known}
    if unknown:
        raise refused(f"'x-jackfield' of the document has no member '{min(unknown)}'")
    for name in _PLAIN:
        if name in given:
            manifest[name] = given[name]
    _JUDGE.check(given)
    if missing := set(given.get("listing", {}).get("tasks", {}).values()) - {
        action["key"] for action in manifest["actions"]
    }:
        raise refused(f"'tasks' of 'listing' names an action '{min(missing)}' that there is not")
    requests = {name: given[name] for name in _OF_REQUESTS if given.get(name)}
    _judge(
        requests.get("errors", {}),
        {action["key"]: action.get("effect", "write") for action in manifest["actions"]},
    )
    if requests:
        manifest["http"] = requests
    _curate_types(manifest["connectionTypes"], given.get("connections", {}), given.get("account"))
    manifest["optionSources"] = [
        _source(manifest, key, about) for key, about in given.get("optionSources", {}).items()
    ]
    _mark(manifest, given.get("recipients", ()), {"recipient": True}, "'recipients'")
    if watched := triggers.rows(manifest):
        manifest["triggers"] = watched
    for action in manifest["actions"]:
        action["examples"] = [
            _completed(manifest, action["key"], row) for row in action["examples"]
        ]


def _source(manifest: Json, key: str, given: Json) -> Json:
    """Return an option source in the manifest's form, and mark the fields that offer its
    choices.
    """
    if given["action"] not in {
        action["key"] for action in manifest["actions"] if action["effect"] == "read"
    }:
        raise refused(f"the option source '{key}' needs an 'action' that reads")
    _mark(
        manifest, given["fields"], {"options": key}, f"the option source '{key}'", given["action"]
    )
    depends_on = {"dependsOn": given["dependsOn"]} if given.get("dependsOn") else {}
    bound = {name: given[name] for name in OF_SOURCE["properties"] if name in given}
    about = {"title": given["title"], "description": given["description"], "needsConnection": True}
    return {"key": key, **about, **depends_on, "http": bound}


def _mark(manifest: Json, fields: Sequence[str], mark: Json, what: str, but: str = "") -> None:
    """Add ``mark`` to the extension of named inputs, in all actions except ``but``; ``what`` begins
    the error's message.

    A field is an input's name, or ``action.input``. For a list, a mark ``options`` goes to its
    items.

    :raises InvalidInput: if no action has one of the fields.
    """
    unused = set(fields)
    for action in manifest["actions"]:
        properties = action["inputs"]["properties"]
        for name, schema in properties.items():
            found = {name, f"{action['key']}.{name}"} & set(fields)
            if found and action["key"] != but:
                unused -= found
                properties[name] = _marked(schema, mark)
    if unused:
        raise refused(f"no action has the field '{min(unused)}' of {what}")


def _marked(schema: Json, mark: Json) -> Json:
    items = schema.get("items")
    if "options" in mark and schema.get("type") == "array" and isinstance(items, dict):
        return {**schema, "items": _marked(items, mark)}
    return {**schema, "x-jackfield": {**schema.get("x-jackfield", {}), **mark}}


def _judge(errors: Json, effects: Mapping[str, str]) -> None:
    for row in _rows(errors.get("doneBefore")):
        for key in row.get("actions", ()):
            if effects.get(key, "read") == "read":
                raise refused(
                    f"a row of 'doneBefore' names '{key}', which is no action that changes "
                    f"something{did_you_mean(key, {*effects} - {key})}"
                )


def _curate_types(rows: list[Json], given: Mapping[str, Any], account: Json | None) -> None:
    keys = [row["key"] for row in rows]
    if missing := given.keys() - set(keys):
        raise refused(
            f"there is no connection type '{min(missing)}' for 'connections'; there are "
            f"{', '.join(keys) or 'none'}"
        )
    for row in rows:
        about = given.get(row["key"], {})
        _curate_type(row, about)
        for credential in row["http"]["credentials"]:
            _curate_credential(row, credential, about)
        if account is not None and "probe" in row["http"]:
            row["http"]["account"] = account


def _curate_type(row: Json, given: Mapping[str, Any]) -> None:
    for name in _OF_TYPES:
        if isinstance(given.get(name), str):
            row[name] = given[name]
    for name, about in given.get("fields", {}).items():
        if name not in row["schema"]["properties"]:
            raise refused(f"the connection type '{row['key']}' has no value '{name}'")
        row["schema"]["properties"][name] |= {
            ("writeOnly" if member == "secret" else member): value
            for member, value in about.items()
        }
        if "default" in about:
            row["schema"]["required"] = [
                other for other in row["schema"].get("required", ()) if other != name
            ]


def _curate_credential(row: Json, credential: Json, given: Mapping[str, Any]) -> None:
    kind = credential["kind"]
    if kind in (*ACCOUNTS, "oauth2ClientCredentials"):
        credential |= {name: given[name] for name in TOKEN_SETTINGS if name in given}
    if kind in ACCOUNTS:
        _learn(row, credential)
        if "revocationUrl" in given:
            credential["revocationUrl"] = given["revocationUrl"]
            row["schema"]["properties"].pop(name_of(credential, "revocationUrl"), None)
    elif kind in ("apiKey", "bearer") and "prefix" in given:
        credential["prefix"] = given["prefix"]
    elif kind == "basic" and "fixed" in given:
        _fix(row, credential, given["fixed"])


def _learn(row: Json, credential: Json) -> None:
    """Make values that the sign-in supplies optional, and add the choice of an account if the
    overlay declares one.

    :raises InvalidInput: if the sign-in supplies a server but the overlay lists no allowed hosts.
    """
    learned = {
        *credential.get("answer", ()),
        *credential.get("callback", ()),
        *credential.get("after", {}).get("values", ()),
    }
    properties, required = row["schema"]["properties"], row["schema"].get("required", [])
    if "server" in learned and not credential.get("hosts"):
        raise refused(f"the connection type '{row['key']}' learns a 'server', so it needs 'hosts'")
    for name in learned:
        if name not in properties:
            raise refused(f"the connection type '{row['key']}' has no value '{name}' to learn")
    if "server" in learned:  # its variables stand for a server that nobody has to name
        learned |= {
            name
            for name, about in properties.items()
            if name.startswith("server") and _is_destination(about)
        }
    row["schema"]["required"] = [name for name in required if name not in learned]
    choose = credential.get("after", {}).get("choose")
    if choose is not None and choose not in properties:
        about = "Which account is meant, if the approval gives access to several."
        properties[choose] = {
            "type": "string",
            "minLength": 1,
            "title": "Account",
            "description": about,
        }


def _is_destination(about: Json) -> bool:
    return about.get("x-jackfield", {}).get("destination") is True


def _fix(row: Json, credential: Json, fixed: Json) -> None:
    """Remove a login's fixed user name or password from a connection type, unless a fixed template
    uses its value.

    If only the user name is left, it holds an API key and becomes a secret.
    """
    used = {name for text in fixed.values() for name in _PLACE.findall(text)}
    properties = row["schema"]["properties"]
    for name in fixed.keys() - used:
        del properties[name]
    if "password" not in properties and "username" in properties:
        properties["username"]["writeOnly"] = True
    row["schema"]["required"] = [name for name in row["schema"]["required"] if name in properties]
    if missing := used - properties.keys():
        raise refused(
            f"'fixed' of the connection type '{row['key']}' names a value '{min(missing)}' that "
            "it does not have"
        )
    credential["fixed"] = fixed


def add_fields(rows: list[Json], fields: Json) -> None:
    """Add fields for parts of requests to the connection types that lack these fields; added fields
    are required.
    """
    for row in rows:
        properties = row["schema"]["properties"]
        added = [name for name in fields if name not in properties]
        properties |= {name: fields[name] for name in added}
        if added:
            row["schema"]["required"] = [*row["schema"].get("required", ()), *added]


def _completed(manifest: Json, key: str, row: Json) -> Json:
    if "invocation" in row:
        return row
    return example(
        manifest["key"],
        manifest["version"],
        key,
        row["title"],
        row["inputs"],
        row["output"],
        took=120.5,
    )


def _rows(given: Any) -> list[Json]:
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
