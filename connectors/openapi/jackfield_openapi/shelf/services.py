"""Services of a shelf: their files, and the OpenAPI documents made from them and their shared
tables.

A file is OpenAPI 3.1. Its member ``x-shelf`` abbreviates the converter's ``x-jackfield``: sign-ins
of a kind or a family, an error table and paging rules by name. The expanded file is a plain
document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from jackfield.connector import InvalidInput
from jackfield.kernel.errors import did_you_mean
from jackfield.kernel.pointers import names as steps_of
from jackfield.kernel.walk import may_hold
from jackfield_http.conditions import listed
from jackfield_http.list_declarations import IN_ANSWER
from jackfield_openapi.curation import TYPE
from jackfield_openapi.reading import parsed
from jackfield_openapi.shelf.answers import REASONS, answer_faults, evidence_faults, told

METHODS = ("get", "put", "post", "delete", "patch")
MEMBERS = frozenset(
    {
        "key",
        "categories",
        "docs",
        "signIns",
        "account",
        "errors",
        "paging",
        "limit",
        "headers",
        "optionSources",
        "seen",
        "known",
        "tasks",
        "review",
        "changes",
        "first",
        "recorded",
        "noEvidence",
        "noAccount",
        "triggers",
        "answers",
        "evidence",
    }
)
_SHARED = ("sign-ins", "errors", "paging", "sources.lock")
_MOVED = ("account", "headers", "optionSources", "categories", "triggers")
OF_TYPE = tuple(name for name in TYPE if name not in ("key", "clientAuthentication"))
OF_SIGN_IN = (
    "kind",
    "family",
    "in",
    "name",
    "authorizationUrl",
    "tokenUrl",
    "scopes",
    "client",
    "seen",
)
"""Members of a sign-in that do not curate its connection type."""
NEEDED = {
    "key": ("name",),
    "oauth2": ("authorizationUrl", "tokenUrl"),
    "oauth2Client": ("tokenUrl",),
}
_SECRETS = {"bearer": "token", "key": "value"}
"""Name of the only secret that a person enters, by the kind of sign-in. Its title is the provider's
name for it.
"""
KINDS = ("bearer", "key", "basic", "oauth2", "oauth2Client")
_OPPOSITE = {
    "before": "after",
    "after": "before",
    "starting_after": "ending_before",
    "since_id": "max_id",
    "max_id": "since_id",
}
_REFUSALS = re.compile(r"error|fail|reject|refus|unprocessed", re.IGNORECASE)
_OF_ONE = re.compile(r"^_?id$|Id$|_id$", re.IGNORECASE)
"""Regular expression of members that identify a single object: lists beside such a member belong to
that object.
"""
_VERDICTS = frozenset(
    {
        "ok",
        "success",
        "successful",
        "result",
        "deleted",
        "removed",
        "approved",
        "acknowledged",
        "accepted",
        "sent",
    }
)
"""Names of booleans that say whether a change was made."""
_HOPS = 8
"""Maximum number of references that are followed."""
_VERSION = re.compile(r"etag|if-match|sync_?token|version|x-(?!.*api-).*-version", re.IGNORECASE)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Service:
    """Service of a shelf. ``document`` is the expanded OpenAPI document, ``about`` the member
    ``x-shelf``.

    ``proof`` has the proof of its statements about the provider in the manifest's form. ``source``
    is its row in ``sources.lock.yaml``.
    """

    key: str
    file: Path
    about: Json
    document: Json
    proof: Json
    source: Json | None = None

    @property
    def title(self) -> str:
        """Title of the connector."""
        return str(self.document["info"]["title"])

    @property
    def tier(self) -> str:
        """Tier of the proof: ``written``, ``checked`` or ``recorded``."""
        return str(self.proof["tier"])

    @property
    def signs_in_by(self) -> tuple[str, ...]:
        """Kinds of the sign-ins, in the file's order."""
        return tuple(str(one["kind"]) for one in self.about["signIns"].values())


def read_shelf(folder: Path) -> list[Service]:
    """Read the services of a shelf, ordered by key.

    :raises InvalidInput: if a file is not valid; the message names it.
    """
    shared = {name: _table(folder / f"{name}.yaml") for name in _SHARED}
    files = sorted((folder / "services").glob("*.yaml"))
    if not files:
        raise InvalidInput(
            f"'{folder}' has no services", hint="Name the folder of a shelf with '--shelf'."
        )
    return [read_service(file, shared) for file in files]


def _icon(file: Path) -> Json:
    """Return the icon of a service from the shelf, in the manifest's form; empty without one."""
    try:
        text = (file.parents[1] / "icons" / f"{file.stem}.svg").read_text(encoding="utf-8")
    except OSError:
        return {}
    return {"icon": "data:image/svg+xml;utf8," + text.strip().replace('"', "'").replace("#", "%23")}


def _table(file: Path) -> Json:
    try:
        found = parsed(file.read_bytes(), str(file))
    except OSError:
        return {}
    return found if isinstance(found, dict) else {}


def read_service(file: Path, shared: Mapping[str, Json]) -> Service:
    """Read and expand one file.

    :raises InvalidInput: if the file is not valid.
    """
    document = parsed(file.read_bytes(), str(file))
    about = document.get("x-shelf") if isinstance(document, dict) else None
    if not isinstance(about, dict) or not isinstance(about.get("signIns"), dict):
        raise _refusal(file, "it needs 'x-shelf' with 'signIns'")
    if unknown := about.keys() - MEMBERS:
        raise _refusal(file, f"'x-shelf' has no member '{min(unknown)}'")
    if "docs" not in about:
        raise _refusal(file, "'x-shelf' needs 'docs', the address of the provider's documentation")
    if about.get("key") != file.stem:
        raise _refusal(file, f"its 'key' must be '{file.stem}', as the file is called")
    for fact in about.get("seen", ()):
        if (
            not isinstance(fact, dict)
            or fact.keys() != {"about", "url", "on"}
            or not isinstance(_day(fact["on"]), date)
        ):
            raise _refusal(file, "each fact in 'seen' has 'about', 'url' and 'on', a date")
        if str(fact["on"]) > str(datetime.now(UTC).date() + timedelta(days=1)):
            raise _refusal(
                file, f"the fact '{fact['about']}' was seen on {fact['on']}, which is to come"
            )
    own = {name: value for name, value in document.items() if name != "x-shelf"}
    sign_ins = {
        name: _sign_in(file, given, shared["sign-ins"]) for name, given in about["signIns"].items()
    }
    extension: Json = {
        "signIns": {name: _scheme(one) for name, one in sign_ins.items()},
        "connections": {name: _curation(name, one) for name, one in sign_ins.items()},
        "license": "Apache-2.0",
        "documentationUrl": about["docs"],
        "sendsDefaults": True,
        **_icon(file),
        **{name: about[name] for name in _MOVED if name in about},
        **_reason(file, about),
    }
    _check_told(file, about, own.get("paths", {}))
    source = shared["sources.lock"].get(file.stem)
    proof = _proof(about, source)
    extension["listing"] = {
        **{name: about[name] for name in ("tasks", "review", "noAccount") if name in about},
        "proof": proof,
    }
    if "errors" in about:
        extension["errors"] = _errors(file, about["errors"], shared["errors"])
    rules = {**shared["paging"], **about.get("paging", {})}
    paths = {
        path: _path(file, item, rules, about.get("limit"))
        for path, item in own.get("paths", {}).items()
    }
    _check_names(file, about, {**own, "paths": paths})
    _check_servers(file, own)
    _check_versions(file, own)
    _check_sign_ins(file, about, sign_ins)
    _check_errors(file, about, sign_ins)
    about = {**about, "signIns": sign_ins}
    return Service(
        file.stem, file, about, {**own, "paths": paths, "x-jackfield": extension}, proof, source
    )


def _check_names(file: Path, about: Json, document: Json) -> None:
    """Check that the document declares the operation ``first``, the members that pagination names,
    and the account's members.

    :raises InvalidInput: if a name is missing.
    """
    operations = [
        one
        for item in document.get("paths", {}).values()
        for name, one in item.items()
        if name in METHODS
    ]
    names = [str(one.get("operationId")) for one in operations]
    if "first" in about and about["first"] not in names:
        raise _refusal(
            file,
            "'first' names no operation "
            f"'{about['first']}'{did_you_mean(str(about['first']), names)}",
        )
    for one in operations:
        _check_pages(file, one, document)
        _check_cursor(file, one)
    for item in document.get("paths", {}).values():
        for method in METHODS[1:]:
            _check_outcomes(file, item.get(method, {}), document, has_rule=_has_failed(about))
            _check_verdicts(file, item.get(method, {}), document, about)
    answers = [_answer_of(one) for one in operations if one.get("x-jackfield", {}).get("probe")]
    account = about.get("account")
    if not answers or None in answers or not isinstance(account, dict) or "path" in account:
        return
    labels = account.get("label", [])
    for place in [account.get("id"), *(labels if isinstance(labels, list) else [labels])]:
        if isinstance(place, str) and not any(
            may_hold(document, answer, steps_of(place)) for answer in answers
        ):
            raise _refusal(
                file, f"'account' names '{place}', which the answer to the test does not declare"
            )


def _check_told(file: Path, about: Json, paths: Json) -> None:
    """Check that the eight questions are answered, and that evidence has its facts.

    :raises InvalidInput: if an answer or a fact is missing or not valid.
    """
    operations = [one for item in paths.values() for name, one in item.items() if name in METHODS]
    proven = [
        str(one.get("operationId"))
        for one in operations
        if "evidence" in one.get("x-jackfield", {})
    ]
    faults = (
        [*answer_faults(about["answers"]), *evidence_faults(about.get("evidence", {}), proven)]
        if "answers" in about
        else []
    )
    if faults:
        raise _refusal(file, faults[0])


def _check_servers(file: Path, document: Json) -> None:
    """Check that no variable of a server's address has an invented default, which could send
    credentials to someone else's host.

    A default from an enumeration is allowed, and a whole host as default without ``example`` in its
    name.

    :raises InvalidInput: for an invented default.
    """
    items = document.get("paths", {}).values()
    listed = [
        document,
        *items,
        *(one for item in items for name, one in item.items() if name in METHODS),
    ]
    for server in (row for holder in listed for row in holder.get("servers", ())):
        for name, about in server.get("variables", {}).items():
            default, is_host = (
                str(about.get("default", "")),
                f"://{{{name}}}/" in f"{server['url']}/",
            )
            if default and "enum" not in about and (not is_host or "example" in default):
                text = (
                    f"the variable '{name}' of a server has the default '{default}'; leave "
                    "it empty, so that the connection names it"
                )
                raise _refusal(file, text)


def _check_pages(file: Path, operation: Json, document: Json) -> None:
    """Check that a list's response declares the members that its pagination names: a wrong name
    would end the list early, unnoticed.

    :raises InvalidInput: if a member is not declared.
    """
    paging = operation.get("x-jackfield", {}).get("pagination")
    answer = _answer_of(operation) if isinstance(paging, dict) else None
    named = (
        [(member, paging.get(member)) for member in IN_ANSWER]
        + [("also", place) for place in paging.get("also", ())]
        if answer
        else []
    )
    for member, place in named:
        if member == "response" and paging.get("kind") == "lastId":  # that is in an item
            continue
        if (
            isinstance(place, str)
            and place.startswith("/")
            and not may_hold(document, answer, steps_of(place))
        ):
            text = (
                f"'pagination' of '{operation.get('operationId')}' names '{place}' "
                f"('{member}'), which its answer does not declare"
            )
            raise _refusal(file, text)


def _check_cursor(file: Path, operation: Json) -> None:
    """Check that a list by its last item's ID has no input for the opposite direction: providers
    refuse both or return other pages.

    :raises InvalidInput: if the list has such an input.
    """
    paging = operation.get("x-jackfield", {}).get("pagination")
    names = {one.get("name") for one in operation.get("parameters", ())}
    if (
        isinstance(paging, dict)
        and paging.get("kind") == "lastId"
        and (other := _OPPOSITE.get(paging.get("input", ""))) in names
    ):
        text = (
            f"'{operation.get('operationId')}' goes on by '{paging['input']}', so it has no "
            f"parameter '{other}'"
        )
        raise _refusal(file, text)


def _has_failed(about: Json) -> bool:
    errors = about.get("errors")
    return isinstance(errors, dict) and "failed" in errors


def _check_outcomes(file: Path, operation: Json, document: Json, *, has_rule: bool) -> None:
    """Check that an operation declares how its response reports refused items, if it accepts a list
    or returns a list of errors.

    ``has_rule`` means that the error table already detects failures in each response.

    :raises InvalidInput: if neither ``failed`` nor ``atomic`` declares it, or ``failed`` names an
        undeclared member.
    """
    own, answer = operation.get("x-jackfield", {}), _answer_of(operation)
    for rule in listed(own.get("failed", [])) if answer is not None else ():
        for member in (
            "items",
            "beside",
            *(() if rule.keys() & {"items", "status"} else ("member",)),
        ):
            if isinstance(place := rule.get(member), str) and not may_hold(
                document, answer, steps_of(place)
            ):
                text = (
                    f"'failed' of '{operation.get('operationId')}' names '{place}' "
                    f"('{member}'), which its answer does not declare"
                )
                raise _refusal(file, text)
    if "failed" in own or "atomic" in own or has_rule or not isinstance(answer, dict):
        return
    bodies = [
        one.get("schema") for one in operation.get("requestBody", {}).get("content", {}).values()
    ]
    is_list = any(_lists(document, body, 1) for body in bodies) and isinstance(
        own.get("pagination", False), bool
    )
    about = _schema(document, answer)
    told = (
        []
        if any(_OF_ONE.search(name) for name in about.get("properties", {}))
        else _lists(document, answer, 1)
    )
    if (is_list and told) or any(_REFUSALS.search(name) for name in _lists(document, answer, 2)):
        text = (
            f"'{operation.get('operationId')}' sends or answers a list: say by 'failed' with "
            "'items' how its answer tells of items that "
            "were refused, or by 'atomic' why there are none"
        )
        raise _refusal(file, text)


def _check_verdicts(file: Path, operation: Json, document: Json, about: Json) -> None:
    """Check that each boolean of a change's response which says whether the change was made has a
    rule for false.

    :raises InvalidInput: if ``failed`` of the operation or of the error table has no such rule.
    """
    own, answer, errors = (
        operation.get("x-jackfield", {}),
        _answer_of(operation),
        about.get("errors"),
    )
    if answer is None or own.get("effect") == "read":
        return
    shared = listed(errors.get("failed", [])) if isinstance(errors, dict) else []
    known = {rule.get("member") for rule in [*shared, *listed(own.get("failed", []))]}
    for name, schema in _schema(document, answer).get("properties", {}).items():
        is_verdict = (
            name.lower() in _VERDICTS and _schema(document, schema).get("type") == "boolean"
        )
        if is_verdict and f"/{name}" not in known:
            rule = f"failed: {{member: /{name}, equals: false}}"
            raise _refusal(
                file,
                f"'{operation.get('operationId')}' answers '{name}': say by '{rule}' that false "
                "is a failure",
            )


def _lists(document: Json, schema: Any, depth: int, name: str = "") -> list[str]:
    """Return the names of the lists in a schema, down to ``depth`` levels."""
    known = _schema(document, schema)
    own = [name] if known.get("type") == "array" else []
    members = known.get("properties", {}) if depth else {}
    return [
        *own,
        *(each for key, one in members.items() for each in _lists(document, one, depth - 1, key)),
    ]


def _schema(document: Json, schema: Any) -> Json:
    """Return a schema with its reference resolved."""
    for _ in range(_HOPS):
        if not isinstance(schema, dict) or "$ref" not in schema:
            break
        found: Any = document
        for step in steps_of(str(schema["$ref"]).removeprefix("#")):
            found = found.get(step, {})
        schema = found
    return schema if isinstance(schema, dict) else {}


def _check_versions(file: Path, document: Json) -> None:
    """Check that an operation which requires a version is a ``write``: its repeat would be refused,
    since the version is outdated.

    :raises InvalidInput: if such an operation is ``idempotent``.
    """
    for method, one in (
        (name, one)
        for item in document.get("paths", {}).values()
        for name, one in item.items()
        if name in METHODS
    ):
        bodies = one.get("requestBody", {}).get("content", {}).values()
        needed = [name for body in bodies for name in body.get("schema", {}).get("required", ())]
        needed += [
            row["name"]
            for row in one.get("parameters", ())
            if row.get("required") and row.get("in") in {"query", "header"}
        ]
        version = next((name for name in needed if _VERSION.fullmatch(name)), None)
        effect = one.get("x-jackfield", {}).get(
            "effect", "idempotent" if method == "put" else "write"
        )
        if version is not None and effect == "idempotent" and method != "get":
            text = (
                f"'{one.get('operationId')}' needs '{version}', so its effect is 'write': a "
                "repeat of what was done is refused"
            )
            raise _refusal(file, text)


def _answer_of(operation: Json) -> Any:
    """Return the schema of the JSON response; None for GraphQL, whose response has another
    shape.
    """
    if "graphql" in operation.get("x-jackfield", {}):
        return None
    answer: Json = next(
        (
            one
            for status, one in operation.get("responses", {}).items()
            if str(status).startswith("2")
        ),
        {},
    )
    return answer.get("content", {}).get("application/json", {}).get("schema", {})


def _proof(about: Json, source: Json | None) -> Json:
    """Return the proof of a file's facts: its tier, facts and unknown facts. ``source`` is the row
    of the compared document, if any.
    """
    answers, unknown = told(about)
    facts = [*({**fact, "on": str(fact["on"])} for fact in about.get("seen", ())), *answers]
    listed = {
        name: rows
        for name, rows in (("facts", facts), ("known", [*about.get("known", ()), *unknown]))
        if rows
    }
    if "recorded" in about:
        return {"tier": "recorded", "on": str(about["recorded"]), **listed}
    if source is None:
        return {"tier": "written", **listed}
    return {
        "tier": "checked",
        "on": str(source["on"]),
        "document": f"{source['package']} {source['version']}",
        **listed,
    }


def _refusal(file: Path, text: str) -> InvalidInput:
    return InvalidInput(
        f"'{file.name}' is not valid: {text}", hint="docs/tutorial/shelf.md describes the files."
    )


def _day(given: object) -> object:
    if isinstance(given, str):
        try:
            return date.fromisoformat(given)
        except ValueError:
            return None
    return given


def _sign_in(file: Path, given: Any, families: Json) -> Json:
    """Return a sign-in merged with its family's members.

    :raises InvalidInput: if its family, kind or members are not valid.
    """
    found = given if isinstance(given, dict) else {}
    family = found.get("family")
    if family is not None and family not in families:
        raise _refusal(file, f"there is no family '{family}' in sign-ins.yaml")
    whole = {**families.get(str(family), {}), **found}
    if whole.get("kind") not in KINDS:
        raise _refusal(file, f"a sign-in is of the kind {', '.join(KINDS)}")
    if unknown := whole.keys() - {*OF_SIGN_IN, *OF_TYPE}:
        raise _refusal(file, f"a sign-in has no member '{min(unknown)}'")
    if missing := [
        name for name in NEEDED.get(whole["kind"], ()) if not isinstance(whole.get(name), str)
    ]:
        raise _refusal(file, f"a sign-in of the kind '{whole['kind']}' needs '{missing[0]}'")
    return whole


def _check_sign_ins(file: Path, about: Json, sign_ins: Json) -> None:
    """Check that the page behind a sign-in's endpoints is among the published facts in ``seen``.

    :raises InvalidInput: if the page is missing there.
    """
    pages = [fact["url"] for fact in about.get("seen", ())]
    for name, one in sign_ins.items():
        if "seen" in one and one["seen"] not in pages:
            raise _refusal(file, f"'seen' of the sign-in '{name}' is none of the pages in 'seen'")


def _check_errors(file: Path, about: Json, sign_ins: Json) -> None:
    """Check that a Google service uses the error table ``google``: a rate limit and a missing right
    share the status 403.

    :raises InvalidInput: if the service uses another table.
    """
    is_google = any(one.get("family") == "google" for one in sign_ins.values())
    errors = about.get("errors")
    own = (
        {name: value for name, value in errors.items() if name not in ("doneBefore", "rows")}
        if isinstance(errors, dict)
        else errors
    )
    if is_google and own not in ("google", {"like": "google"}):
        raise _refusal(
            file,
            "'errors' of a service of Google are those of the table 'google', which tells a "
            "limit from a missing right",
        )


def _scheme(one: Json) -> Json:
    """Return the OpenAPI security scheme of a sign-in."""
    kind, text = one["kind"], {"description": one.get("description", one.get("title", ""))}
    if kind in ("bearer", "basic"):
        return {"type": "http", "scheme": kind, **text}
    if kind == "key":
        place = one.get("in", "header")
        return {"type": "apiKey", "in": "header", "name": one["name"], **text} | (
            {"x-jackfield": {"in": "path"}} if place == "path" else {"in": place}
        )
    is_client = kind == "oauth2Client"
    flow = {
        name: one[name]
        for name in (("tokenUrl",) if is_client else ("authorizationUrl", "tokenUrl"))
    }
    flows = {
        "clientCredentials" if is_client else "authorizationCode": {
            **flow,
            "scopes": one.get("scopes", {}),
        }
    }
    return {"type": "oauth2", **text, "flows": flows, "x-jackfield": {"token": False}}


def _curation(name: str, one: Json) -> Json:
    found = {member: one[member] for member in OF_TYPE if member in one}
    found["key"] = name
    if (secret := _SECRETS.get(one["kind"])) and "title" in one:
        found["fields"] = {secret: {"title": one["title"]}, **one.get("fields", {})}
    if one["kind"] in ("oauth2", "oauth2Client"):
        found["clientAuthentication"] = one.get("client", "basic")
        if scopes := one.get("scopes"):
            fields = found.get("fields", {})
            found["fields"] = {
                **fields,
                "scopes": {"default": " ".join(scopes), **fields.get("scopes", {})},
            }
    return found


def _errors(file: Path, given: Any, tables: Json) -> Json:
    own = given if isinstance(given, dict) else {"like": given}
    like = own.get("like")
    if like is not None and like not in tables:
        raise _refusal(
            file, f"there is no table '{like}' in errors.yaml{did_you_mean(str(like), tables)}"
        )
    base = tables.get(str(like), {})
    rows = [*own.get("rows", ()), *base.get("rows", ())]
    return {**base, **{name: value for name, value in own.items() if name != "like"}, "rows": rows}


def _path(file: Path, item: Json, rules: Json, limit: Json | None) -> Json:
    return {
        name: _operation(file, one, rules, limit) if name in METHODS else one
        for name, one in item.items()
    }


def _operation(file: Path, given: Json, rules: Json, limit: Json | None) -> Json:
    own = dict(given.get("x-jackfield", {}))
    own |= _reason(file, own)
    paging = own.get("pagination")
    if isinstance(paging, dict) and "like" in paging:
        if paging["like"] not in rules:
            raise _refusal(
                file, f"there is no paging '{paging['like']}'; there are {', '.join(sorted(rules))}"
            )
        own["pagination"] = {
            **rules[paging["like"]],
            **{name: value for name, value in paging.items() if name != "like"},
        }
    if limit is not None:
        own.setdefault("rateLimit", {"perSecond": limit["perSecond"]})
    return {**given, "x-jackfield": own} if own else given


def _reason(file: Path, given: Json) -> Json:
    """Return the sentence for the key in ``noEvidence``; empty without ``noEvidence``.

    :raises InvalidInput: if the key is unknown.
    """
    word = given.get("noEvidence")
    if word is None:
        return {}
    if word not in REASONS:
        raise _refusal(file, f"'noEvidence' is one of {', '.join(REASONS)}, not '{word}'")
    return {"noEvidence": REASONS[word]}


def facts(service: Service) -> Iterator[str]:
    """Yield a Markdown line for each fact about the provider, with its page and date, and for each
    fact without a page.
    """
    for fact in service.proof.get("facts", ()):
        yield f"- {fact['about']}: seen on <{fact['url']}> on {fact['on']}."
    for text in service.proof.get("known", ()):
        yield f"- {text}: not seen on a page of the provider."
    if "noAccount" in service.about:
        yield f"- Connections do not name their account: {service.about['noAccount']}"
