"""Actions from operations: inputs, output, effect, pagination and the binding that says how a
request is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from jackfield.connector import InvalidInput
from jackfield.connector.success_signs import SIGN
from jackfield.kernel.markup import markdown
from jackfield_http.bindings.error_rows import FAILED_HERE
from jackfield_http.headers import is_token
from jackfield_openapi.composition import Composition
from jackfield_openapi.contents import FILE, Contents, RequestBody, Response
from jackfield_openapi.curation import job_of, own_examples
from jackfield_openapi.dry_runs import Case, cases_of
from jackfield_openapi.effects import effect_of, seems_to_read
from jackfield_openapi.evidence import evidence_of
from jackfield_openapi.examples import Shown
from jackfield_openapi.fixed_queries import body_without_variables, fixed_query, place_variables
from jackfield_openapi.judging import Judge, refused
from jackfield_openapi.naming import Keys, action_key, input_name, title_of, words
from jackfield_openapi.operations import Operation, find_operation
from jackfield_openapi.paging import NEXT_PAGE, Pages, Paging
from jackfield_openapi.parameters import Drawn, drawn, exact_names, input_key
from jackfield_openapi.pointing import Pointing
from jackfield_openapi.report import Report
from jackfield_openapi.schemas import Schemas
from jackfield_openapi.security import Alternative, Security, used_alternatives
from jackfield_openapi.servers import Servers

_KEY = re.compile(r"[a-z][A-Za-z0-9]*")
_PLAIN = re.compile(r"[A-Za-z0-9_]+")
_UNFIT = re.compile(r"(\{[^{}/]+\})|[^A-Za-z0-9._~!$&'()*+,;=:@%/?-]")
_AGED = " (deprecated)"
_ALL = {
    "type": "boolean",
    "default": False,
    "title": "Fetch all",
    "description": "Fetch every page and return all items together.",
}
_FAILED = Judge(FAILED_HERE)
_SIGNS = Judge({**SIGN})
_NEXT = {
    "type": "string",
    "minLength": 1,
    "title": "Next page",
    "description": "Address of the page, as 'nextPage' of the page before it.",
}

Json = dict[str, Any]


class Actions:
    """Drafter of the actions of one document."""

    def __init__(
        self,
        pointing: Pointing,
        schemas: Schemas,
        security: Security,
        servers: Servers,
        report: Report,
    ) -> None:
        self._schemas = schemas
        self._security = security
        self._servers = servers
        self._report = report
        self._pointing = pointing
        self._contents = Contents(pointing, schemas, report)
        self._pages = Pages(Composition(pointing))
        self._suggested: list[Json] = []
        self.fields: Json = {}
        """Values of connections that are parts of requests, by name."""
        self.shown: dict[str, Shown] = {}
        """The document's examples of each action, by its key."""
        self.cases: dict[str, tuple[Case, ...]] = {}
        """Dry runs of each action by its key."""

    def drafted(
        self, operation: Operation, keys: Keys, keep: Callable[[Operation, str], bool]
    ) -> tuple[Json, list[Alternative]] | None:
        """Return an operation's action and the alternatives of credentials that it accepts.

        None means that the operation becomes no action: it is not selected, or its credentials or
        its body are not supported.
        """
        wanted = action_key(operation.method, operation.path, operation.raw)
        fixed = operation.extension.get("key")
        if not keep(operation, fixed if isinstance(fixed, str) else wanted):
            return None
        alternatives = used_alternatives(operation, self._security, self._report)
        if alternatives is None:
            return None
        try:
            body = self._contents.request(operation) or body_without_variables(operation)
        except LookupError as error:
            self._report.left_out("media type", operation.at, str(error))
            return None
        key, numbered = keys.choose(
            operation.name,
            wanted,
            fixed=fixed if isinstance(fixed, str) and _KEY.fullmatch(fixed) else None,
        )
        if numbered:
            self._report.assumed(
                "key made unique", operation.at, f"'{wanted}' is taken, so it is '{key}'"
            )
        parameters = drawn(operation, self._schemas, self._report, self._security.path_keys)
        self.fields |= parameters.fields
        return self._action(
            operation, key, parameters, body, self._response(operation), alternatives
        ), alternatives

    def suggestions(self) -> Json:
        """Return an overlay with suggested curation, derived from names, for a person's review."""
        info = {"title": "Suggestions of the generator", "version": "1"}
        return {"overlay": "1.0.0", "info": info, "actions": self._suggested}

    def _action(
        self,
        operation: Operation,
        key: str,
        parameters: Drawn,
        body: RequestBody | None,
        response: Response,
        alternatives: list[Alternative],
    ) -> Json:
        raw, own = operation.raw, operation.extension
        about, is_aged = raw.get("description") or raw.get("summary"), raw.get("deprecated") is True
        action: Json = {
            "key": key,
            "title": own["title"]
            if isinstance(own.get("title"), str) and own["title"]
            else title_of(key, raw, _AGED if is_aged else ""),
            "description": (markdown(about).strip() if isinstance(about, str) else "")
            or f"{operation.name}.",
            "group": self._group(operation),
            "effect": effect_of(operation, self._report),
        }
        if is_aged:
            action["deprecated"] = True
        action |= _handing_out(operation)
        self._flatten(operation, parameters, body)
        self._ask_for_one_value(operation, body, response)
        paging = self._paging(operation, parameters, response, action["effect"])
        action["inputs"] = _inputs(parameters, body, paging)
        action["output"] = _output(response, paging)
        action["outputPolicy"] = "describe"
        if paging is not None and paging.enabled:
            action["pagination"] = _pagination(paging, action["inputs"])
        if isinstance(own.get("keywords"), list) and own["keywords"]:
            action["keywords"] = [word for word in own["keywords"] if isinstance(word, str)]
        permissions = own.get("permissions") or {"oauth2": self._security.scopes(operation)}
        if isinstance(permissions, dict) and any(permissions.values()):
            action["permissions"] = permissions
        if own.get("idempotentBy") == "key" and action["effect"] == "idempotent":
            action["idempotentBy"] = "key"
            if isinstance(own.get("keyKept"), int | float):
                action["keyKept"] = own["keyKept"]
        action |= _sign(operation, action["effect"])
        action |= evidence_of(operation, action)
        limit = own.get("rateLimit")
        if (
            isinstance(limit, dict)
            and isinstance(limit.get("perSecond"), int | float)
            and limit["perSecond"] > 0
        ):
            action["rateLimit"] = {"perSecond": limit["perSecond"]}
        if alternatives == [()]:
            pass  # the server's URL is a connection's value, so a connection is needed all the same
        if "job" in own:
            action |= {"kind": "job"} | ({"cancellable": True} if "cancel" in own["job"] else {})
        response = (
            response
            if action["effect"] == "read"
            else replace(
                response,
                row={**response.row, **({"types": response.types} if response.types else {})},
            )
        )
        action["http"] = self._binding(operation, parameters, body, response, alternatives, paging)
        action["examples"] = own_examples(operation, response)
        self.shown[key] = Shown(
            operation.at, {**parameters.examples, **_body_examples(body)}, response.example
        )
        self.cases[key] = tuple(cases_of(parameters.shown, body))
        self._note(operation, key)
        return action

    def _ask_for_one_value(
        self, operation: Operation, body: RequestBody | None, response: Response
    ) -> None:
        """Send the body's flag ``stream`` as false where a response is either JSON or a stream."""
        if not response.is_also_stream:
            return
        if body is not None and body.has_stream_flag:
            body.row["defaults"] = {"stream": False}
            self._report.assumed(
                "stream sent as false",
                operation.at,
                "the response is one JSON value, unless an input asks for a stream",
            )
        else:
            self._report.assumed(
                "response is a stream",
                operation.at,
                "a stream that comes in place of JSON is read as its items",
            )

    def _response(self, operation: Operation) -> Response:
        """Return the response that becomes the output.

        For a job it is the response of the request that ends the job, if the document describes
        this request.
        """
        job = job_of(operation)
        if job is None:
            return self._contents.response(operation)
        result = job.get("result", {})
        ending = find_operation(
            self._pointing,
            "get",
            result.get("path") or ("" if result else job["poll"].get("path", "")),
        )
        found = (
            Response({"type": "object"}, {"read": "auto"}, None, None)
            if ending is None
            else self._contents.response(ending)
        )
        own = self._contents.response(operation)
        return replace(found, row=own.row, types=own.types)

    def _group(self, operation: Operation) -> str:
        tags = operation.raw.get("tags")
        first = (
            tags[0]
            if isinstance(tags, list) and tags and isinstance(tags[0], str) and tags[0].strip()
            else None
        )
        if first is None:
            parts = [part for part in operation.path.split("/") if part and "{" not in part]
            first = " ".join(words(parts[0])).capitalize() if parts else ""
        return first.strip()[:80] or "Other"

    def _paging(
        self, operation: Operation, parameters: Drawn, response: Response, effect: str
    ) -> Paging | None:
        if effect != "read":
            if isinstance(operation.extension.get("pagination"), dict):
                hint = "Declare 'effect: read' beside it, if the operation changes nothing."
                raise InvalidInput(
                    f"the 'pagination' of {operation.name} is not valid: only a read has pages",
                    hint=hint,
                )
            return None
        found = self._pages.of(operation, parameters, response)
        if found is not None and found.row["confidence"] != "high":
            begins = (
                ", say as 'first' where it begins"
                if found.row["kind"] == "page" and "first" not in found.row
                else ""
            )
            unsure = "" if found.enabled else f": only suggested{begins}"
            text = f"by {found.row['kind']}, {found.row['confidence']} confidence{unsure}"
            self._report.assumed("pagination", operation.at, text)
        if found is not None and not found.enabled:
            row = {
                name: value
                for name, value in found.row.items()
                if name not in ("confidence", "enabled")
            }
            self._suggest(operation, {"pagination": row})
        return found

    def _binding(
        self,
        operation: Operation,
        parameters: Drawn,
        body: RequestBody | None,
        response: Response,
        alternatives: list[Alternative],
        paging: Paging | None,
    ) -> Json:
        path, _, query = operation.path.partition("#")[0].partition("?")
        binding: Json = {"method": operation.method.upper(), "path": _encoded(path) or "/"}
        if query:
            binding["query"] = _encoded(query)
        server = (
            self._servers.main
            if not operation.servers
            else self._servers.number(operation.servers, f"{operation.at}/servers")
        )
        if server != self._servers.main:
            binding["server"] = server
        placed = {
            "parameters": parameters.rows,
            "connection": parameters.connection,
            "headers": _headers(operation),
        }
        binding |= {name: rows for name, rows in placed.items() if rows}
        if body is not None:
            binding["body"] = body.row
        binding["response"] = response.row
        if alternatives != [()]:
            binding["security"] = [list(one) for one in alternatives]
        binding |= _keyed(operation, parameters, body)
        if operation.extension.get("failed") and (
            fault := _FAILED.fault(operation.extension["failed"], "failed")
        ):
            raise refused(f"'x-jackfield' of {operation.name} is not valid: {fault}")
        for name in ("failed", "graphql", "file", "before", "job"):
            if operation.extension.get(name):
                binding[name] = operation.extension[name]
        if (asked := fixed_query(operation)) is not None:
            binding["graphql"] = {
                name: asked[name] for name in ("result", "errors") if name in asked
            }
        if paging is not None:
            binding["paging"] = {
                name: value for name, value in paging.row.items() if name != "also"
            }
        return binding

    def _flatten(self, operation: Operation, parameters: Drawn, body: RequestBody | None) -> None:
        """Make each member of a flat body an input. The binding's row says where the request has
        each member.
        """
        if body is not None and body.is_flat:
            self._spread(operation, parameters, body)
        if body is not None:
            place_variables(operation, body)

    def _spread(self, operation: Operation, parameters: Drawn, body: RequestBody) -> None:
        del body.row["input"]
        parameters.taken.discard("body")
        members = body.row["members"] = {}
        exact = exact_names(body.schema["properties"])
        for name, schema in body.schema["properties"].items():
            key = input_key(name, "body", parameters.taken, exact)
            members[key] = name
            if key != input_name(name):
                self._report.assumed(
                    "input renamed",
                    operation.at,
                    f"the body's member '{name[:80]}' is the input '{key}'",
                )
            drawn_as = (
                {**FILE, "description": schema.get("description", "")}
                if name in operation.extension.get("files", ())
                else schema
            )
            parameters.properties[key] = (
                _titled(name, key, drawn_as) if isinstance(drawn_as, dict) else drawn_as
            )
        if encoded := [
            name for name, way in operation.extension.get("files", {}).items() if way == "base64"
        ]:
            body.row["base64"] = encoded
        needed = [key for key, name in members.items() if name in body.schema.get("required", ())]
        body.row["members"] = {
            key: name
            for key, name in {**members, **operation.extension.get("place", {})}.items()
            if name is not None
        }
        if body.required:
            body.row["required"] = True
            parameters.required += needed
        elif needed:
            parameters.together = {
                key: [one for one in needed if one != key] for key in members if needed != [key]
            }

    def _note(self, operation: Operation, key: str) -> None:
        for name, cause in (("callbacks", "callback"), ("links", "link")):
            if operation.raw.get(name):
                self._report.lossy(cause, f"{operation.at}/{name}", "not part of the action")
        if seems_to_read(operation) and "effect" not in operation.extension:
            self._suggest(operation, {"effect": "read"})
            self._report.assumed(
                "POST that seems to read",
                operation.at,
                f"'{key}' stays a write; the suggested overlay has the other effect",
            )

    def _suggest(self, operation: Operation, update: Json) -> None:
        path = operation.path.replace("\\", "\\\\").replace("'", "\\'")
        target = f"$.paths['{path}'].{operation.method}"
        self._suggested.append({"target": target, "update": {"x-jackfield": update}})


def _keyed(operation: Operation, parameters: Drawn, body: RequestBody | None) -> Json:
    """Return the header and the input that take the idempotency key.

    :raises InvalidInput: if an overlay names an input that there is not, or in another form.
    """
    header = operation.extension.get("idempotencyHeader") or parameters.idempotency_header
    named = isinstance(header, str) and re.fullmatch(r"[A-Za-z0-9-]{1,100}", header)
    found: Json = {"idempotencyHeader": header} if named else {}
    if "idempotencyInput" not in operation.extension:
        return found
    given = operation.extension["idempotencyInput"]
    about: Json = given if isinstance(given, dict) else {}
    members = (
        {}
        if body is None
        else {name.removeprefix("/"): key for key, name in body.row.get("members", {}).items()}
    )
    known = {**members, **parameters.named}
    longest = about.get("longest", 1)
    if (
        about.get("input") not in known
        or about.keys() - {"input", "longest"}
        or type(longest) is not int
        or longest < 1
    ):
        text = (
            f"the 'idempotencyInput' of {operation.name} is not valid: 'input' names a "
            "parameter or a member of a flat body"
        )
        raise InvalidInput(
            text, hint="Write {input: NAME}, and 'longest', if the provider takes no longer key."
        )
    return {**found, "idempotencyInput": {**about, "input": known[about["input"]]}}


def _sign(operation: Operation, effect: str) -> Json:
    """Return the member ``sign`` that ``x-jackfield`` of an operation adds to its action.

    :raises InvalidInput: if it is malformed, or its action changes nothing.
    """
    if "sign" not in operation.extension:
        return {}
    sign = operation.extension["sign"]
    fault = _SIGNS.fault(sign, "sign")
    if effect == "read" or "job" in operation.extension:
        fault = "'sign' is for a change that ends with its call"
    if fault:
        raise refused(f"'x-jackfield' of {operation.name} is not valid: {fault}")
    return {"sign": sign}


def _headers(operation: Operation) -> Json:
    """Return the header fields of an operation's requests that its overlay sets.

    :raises InvalidInput: if a name is no field name or a value no printable string.
    """
    found = operation.extension.get("headers", {})
    given: Json = found if isinstance(found, dict) else {"": found}
    if not all(
        is_token(name) and isinstance(text, str) and text.isprintable()
        for name, text in given.items()
    ):
        raise refused(
            f"'headers' of {operation.name} must be header fields, as texts by their names"
        )
    return given


def _handing_out(operation: Operation) -> Json:
    """Return ``handsOutCredentials`` of an operation whose overlay declares its whole output a
    credential; else an empty object.

    :raises InvalidInput: if the operation is a job: a job's output is stored in the journal.
    """
    if operation.extension.get("handsOutCredentials") is not True:
        return {}
    if "job" in operation.extension:
        raise refused(
            f"{operation.name} is a job, so it cannot have 'handsOutCredentials': mark its "
            "members with 'secret'"
        )
    return {"handsOutCredentials": True}


def _titled(name: str, key: str, schema: Json) -> Json:
    """Return the schema of a body's member with the member's name as title, if the name differs
    from the key.

    A title of the document stays only if it says the member's name: other titles name the type.
    """
    own = schema.get("title")
    if isinstance(own, str) and input_name(own) == key:
        return schema
    rest = {word: value for word, value in schema.items() if word != "title"}
    return rest if name == key else {"title": name[:200], **rest}


def _encoded(text: str) -> str:
    """Percent-encode characters that a URL cannot contain, except the names of parameters in
    braces.
    """
    return _UNFIT.sub(lambda found: found[1] or quote(found[0], safe=""), text)


def _inputs(parameters: Drawn, body: RequestBody | None, paging: Paging | None) -> Json:
    properties, required = dict(parameters.properties), list(parameters.required)
    if body is not None and not body.is_flat:
        schema = dict(body.schema) if isinstance(body.schema, dict) else {}
        if "description" not in schema:
            schema["description"] = (
                body.description or f"The body of the request ({body.row['contentType']})."
            )
        properties["body"] = schema
        if body.required and "default" not in schema:
            required.append("body")
    if paging is not None and paging.enabled:
        if paging.token_input == NEXT_PAGE:
            properties["nextPage"] = dict(_NEXT)
        properties["fetchAll"] = dict(_ALL)
    found: Json = {"type": "object", "properties": properties}
    if required:
        found["required"] = required
    if parameters.together:
        found["dependentRequired"] = parameters.together
    return {**found, "additionalProperties": False}


def _body_examples(body: RequestBody | None) -> Json:
    """Return the example inputs that the document's example of a body contains."""
    if body is None or body.example is None:
        return {}
    if not body.is_flat:
        return {"body": body.example}
    example = body.example if isinstance(body.example, dict) else {}
    return {key: example[name] for key, name in body.row["members"].items() if name in example}


def _output(response: Response, paging: Paging | None) -> Json:
    schema: Json = (
        {"type": "object", **response.schema}
        if isinstance(response.schema, dict)
        else {"type": "object"}
    )
    # a type of several, or one that the document has wrong: an output is always an object
    if schema["type"] != "object":
        schema = {"type": "object", "anyOf": [schema]}
    more = _of_pages(paging) if paging is not None and paging.enabled else {}
    if not more:
        return schema
    known = schema.get("properties", {})
    if schema.keys() <= {"type", "properties"} and known.keys().isdisjoint(more):
        return {**schema, "properties": {**known, **more}}
    return {"type": "object", "properties": more, "allOf": [schema]}


def _of_pages(paging: Paging) -> Json:
    """Return the schemas of an output's members for paging that the document does not declare."""
    if paging.token_output != NEXT_PAGE:
        return dict(paging.only_shown)
    return {
        **paging.only_shown,
        NEXT_PAGE: {
            "description": "What the next call takes to continue; absent on the last page."
        },
    }


def _pagination(paging: Paging, inputs: Json) -> Json:
    found: Json = {
        "tokenInput": paging.token_input,
        "tokenOutput": _place(f"/{paging.token_output}"),
        "items": _place(paging.items or "/items"),
    }
    found["allInput"] = "fetchAll"
    about = [
        _place(paging.row[name]) for name in ("response", "more", "last") if name in paging.row
    ]
    if others := [
        member for member in about if member not in (found["tokenOutput"], found["items"])
    ]:
        found["pageMembers"] = others
    if "also" in paging.row:
        found["furtherItems"] = [_place(one) for one in paging.row["also"]]
    if "more" in paging.row and paging.row["kind"] == "token" and paging.token_output != NEXT_PAGE:
        found["more"] = _place(paging.row["more"])
    if paging.size_input is not None:
        found["sizeInput"] = paging.size_input
        most = inputs["properties"][paging.size_input].get("maximum")
        if (
            isinstance(most, int | float)
            and not isinstance(most, bool)
            and 1 <= most <= 10_000
            and most == int(most)
        ):
            found["maxSize"] = int(most)
    return found


def _place(at: str) -> str:
    """Return the name of an output's top-level member without its slash, or a deeper JSON Pointer
    unchanged.
    """
    return at[1:] if _PLAIN.fullmatch(at[1:]) else at
