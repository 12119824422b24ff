"""``schemas/manifest.schema.json``: the members by which an action or a connection type is bound to
HTTP instead of code.
"""

from __future__ import annotations

from generated.words import ACTION_KEY, Json, closed
from jackfield.connector.signatures import SCHEMES
from jackfield_http.accounts import ACCOUNT
from jackfield_http.bindings.connection import TOKEN_SETTINGS
from jackfield_http.bindings.error_rows import ERRORS, FAILED, FAILED_HERE
from jackfield_http.bindings.polls import POLL
from jackfield_http.challenges import SCHEMA as CHALLENGE
from jackfield_http.list_declarations import PAGING

_TEXT: Json = {"type": "string", "minLength": 1}
_KEY: Json = {"type": "string", "pattern": ACTION_KEY}
_POINTER: Json = {"type": "string", "pattern": "^/"}
_TEXTS: Json = {"type": "array", "items": _TEXT}
_POINTERS: Json = {"type": "array", "items": _POINTER}
_TABLE: Json = {"type": "object", "additionalProperties": _TEXT}
_PLACES: Json = {"type": "object", "additionalProperties": _POINTER}


def servers() -> Json:
    """The member ``servers`` of a manifest."""
    variable = closed(
        {"input": _KEY, "default": {"type": "string"}, "enum": {**_TEXTS, "minItems": 1}},
        ["input"],
        "A part of the URL.",
    )
    server = closed(
        {
            "url": {
                **_TEXT,
                "description": "URL without a slash at its end; '{name}' stands for a variable.",
            },
            "path": {**_POINTER, "description": "Path below the server that the connection names."},
            "variables": {
                "type": "object",
                "additionalProperties": variable,
                "description": "Connection values that fill the URL.",
            },
        },
        [],
    )
    return {
        "type": "array",
        "items": server,
        "description": "Servers of bound actions; a connection's 'server' takes precedence.",
    }


def credentials() -> Json:
    """The member ``http`` of a connection type."""
    kinds = [
        "apiKey",
        "basic",
        "bearer",
        "oauth2ClientCredentials",
        "oauth2AuthorizationCode",
        "openIdConnect",
        "mutualTls",
        "awsSigV4",
    ]
    credential = closed(
        {
            "kind": {"enum": kinds},
            "scheme": {
                **_TEXT,
                "description": "Name by which the actions' 'security' refers to it.",
            },
            "in": {"enum": ["header", "query", "cookie", "path"]},
            "name": {**_TEXT, "description": "Name of the header, query parameter or cookie."},
            "tokenUrl": {**_TEXT, "description": "Where tokens are issued."},
            "revocationUrl": {**_TEXT, "description": "Where an approval is ended."},
            "authorizationUrl": {**_TEXT, "description": "Where a person approves."},
            **TOKEN_SETTINGS,
            "fixed": {
                **_TABLE,
                "description": (
                    "Parts of a login that are not values of their own: '{username}' stands "
                    "for a value."
                ),
            },
            "issuer": {**_TEXT, "description": "Identifier of the OpenID Connect provider."},
            "fields": {
                "type": "object",
                "additionalProperties": _TEXT,
                "description": "Names of the values, where they differ.",
            },
        },
        ["kind", "scheme"],
    )
    listed = {
        "type": "array",
        "items": credential,
        "description": "Credentials that each request has.",
    }
    members = {"credentials": listed, "probe": _probe(), "account": ACCOUNT}
    return closed(members, ["credentials"], "How requests over such a connection are signed in.")


def _probe() -> Json:
    request = closed(
        {
            "method": {"enum": ["GET", "POST"], "default": "GET"},
            "path": _POINTER,
            "query": {**_TEXT, "description": "Its query."},
            "body": {"description": "Its JSON body."},
            "server": {
                "type": "integer",
                "minimum": 0,
                "description": "Place in 'servers', from 0.",
                "default": 0,
            },
            "connection": _of_connection(),
            "failed": FAILED,
        },
        ["path"],
        "A request that changes nothing.",
    )
    return {
        "oneOf": [_POINTER, request],
        "description": "Path that a connection test GETs, or its whole request.",
    }


def _of_connection() -> Json:
    row = closed(
        {
            "value": _KEY,
            "in": {"enum": ["path", "query", "header"]},
            "name": {**_TEXT, "description": "Name in the request."},
        },
        ["value", "in", "name"],
    )
    return {
        "type": "array",
        "items": row,
        "description": "Values of the connection that are parts of the request.",
    }


def requests() -> Json:
    """The member ``http`` of a manifest."""
    headers = {
        "type": "object",
        "additionalProperties": _TEXT,
        "description": "Header fields of every request.",
    }
    return closed({"headers": headers, "errors": ERRORS}, [], "What all bound actions share.")


def _step() -> Json:
    return closed(
        {
            "method": {"enum": ["GET", "POST", "PUT"]},
            "path": {**_POINTER, "description": "Path below the server."},
            "to": {
                **_KEY,
                "description": (
                    "Instead of 'path': the value that is the URL, on a server that gets no "
                    "credentials."
                ),
            },
            "parameters": {"type": "array", "items": _parameter()},
            "body": _body(),
            "unless": {**_KEY, "description": "The step is left out if this input is given."},
            "absent": {
                "type": "array",
                "items": {"type": "integer"},
                "description": "Statuses that say that there is no value.",
            },
            "values": {
                "type": "object",
                "additionalProperties": _POINTER,
                "description": "Values for later requests, from the response.",
            },
        },
        ["method"],
        "A request that finds or prepares what a later one needs.",
    )


def _job() -> Json:
    name = "Name of a value of the handle"
    request: Json = {
        "path": {
            **_POINTER,
            "description": "Path below the server; '{name}' stands for a value of the handle.",
        },
        "parameters": {"type": "array", "items": _parameter()},
    }
    address = {
        **_KEY,
        "description": (
            f"Instead of 'path': {name.lower()} that is the URL, on the connection's own server."
        ),
    }
    result = closed(
        {
            **request,
            "url": {
                **_POINTER,
                "description": (
                    "Instead: the result's URL in the last response; on another server it "
                    "gets no credentials."
                ),
            },
            "member": {**_POINTER, "description": "Instead: the result in the last response."},
        },
        [],
        "A further GET for the result. Left out, the last response is the output.",
    )
    sent = {"enum": ["POST", "PUT", "PATCH", "DELETE"]}
    return closed(
        {
            "handle": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": _KEY,
                "additionalProperties": _TEXT,
                "description": "Values for later requests: JSON Pointers into the response to the "
                "start, or names of its header fields. "
                "Inputs that those requests name are kept, too.",
            },
            "poll": closed({**request, "to": address}, [], "The GET that asks for the state."),
            "state": {
                **_POINTER,
                "description": (
                    "The state in a response. Left out, 202 is a job that runs, any other "
                    "success its end."
                ),
            },
            "done": {**_TEXTS, "description": "States of a job that has succeeded."},
            "failed": {
                **_TEXTS,
                "description": "States of a job that has failed, or was cancelled.",
            },
            "message": {
                **_POINTER,
                "description": "The reason of a failure.",
                "default": "/message",
            },
            "percent": {**_POINTER, "description": "How much is done, from 0 to 100."},
            "result": result,
            "cancel": closed(
                {**request, "to": address, "method": sent, "body": _body()},
                ["method"],
                "The request that cancels it.",
            ),
        },
        ["handle", "poll"],
        "With 'kind': 'job', what the action's request has started is polled until it ends.",
    )


def action() -> Json:
    """The member ``http`` of an action."""
    return closed(
        {
            "method": {
                "enum": ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"]
            },
            "path": {
                **_POINTER,
                "description": "Path below the server; '{name}' stands for a parameter in 'path'.",
            },
            "query": {**_TEXT, "description": "Fixed part of the query."},
            "server": {
                "type": "integer",
                "minimum": 0,
                "description": "Place in 'servers', from 0.",
                "default": 0,
            },
            "parameters": {"type": "array", "items": _parameter()},
            "connection": _of_connection(),
            "body": _body(),
            "response": _response(),
            "security": {
                "type": "array",
                "items": _TEXTS,
                "description": "Alternatives of schemes, each needed together.",
            },
            "idempotencyHeader": {
                **_TEXT,
                "description": "Header that takes the invocation's idempotency key.",
            },
            "idempotencyInput": closed(
                {
                    "input": _KEY,
                    "longest": {
                        "type": "integer",
                        "minimum": 1,
                        "description": "Characters of a key at most.",
                    },
                },
                ["input"],
                "Input that takes the invocation's idempotency key, where the caller leaves it "
                "out.",
            ),
            "headers": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": (
                    "Header fields of the action's requests, beside those of the connector; "
                    "they are no inputs."
                ),
            },
            "failed": FAILED_HERE,
            "graphql": _graphql(),
            "file": closed(
                {"input": _KEY, "length": _KEY, "name": _KEY},
                ["input", "length", "name"],
                "An input that is a file, and the values of the steps that are its length in "
                "bytes and, if the input is missing, its name.",
            ),
            "before": {
                "type": "array",
                "items": _step(),
                "description": "Requests before the action's own, which change nothing.",
            },
            "job": _job(),
            "paging": PAGING,
        },
        ["method", "path", "response"],
        "The request that the action is, instead of code.",
    )


def _graphql() -> Json:
    result = {
        **_POINTER,
        "description": "Where the output is in an answer. The document is a default of the body.",
    }
    errors = {
        **_POINTER,
        "description": (
            "List in the data of an answer which, unless it is empty, says that nothing was "
            "carried out."
        ),
    }
    about = (
        "The body is a GraphQL request: queries are reads, and 'errors' are failures. An "
        "object: its document is the action's own."
    )
    return {
        "anyOf": [{"const": True}, closed({"result": result, "errors": errors}, ["result"], about)],
        "description": about,
    }


def signature() -> Json:
    """The member ``signature`` of a webhook."""
    text = {"type": "string", "maxLength": 200}
    return closed(
        {
            "scheme": {"enum": list(SCHEMES)},
            "header": {
                **text,
                "description": "Header field with the signature, or with the token.",
            },
            "signed": {
                **text,
                "description": "What is signed: '{id}', '{time}', '{body}', '{method}', '{url}' "
                "(with its query) and '{form}', the "
                "names and values of a form in the order of the names, stand for these.",
            },
            "prefix": {**text, "description": "What is before each signature."},
            "separator": {**text, "description": "What is between several signatures."},
            "time": {
                **text,
                "description": "Header field with the time; with '=' at its end, a member of the "
                "signature's field; a JSON Pointer is "
                "that of a member of the signed body.",
            },
            "id": {**text, "description": "Header field with the ID."},
            "user": {
                **text,
                "description": "Of a token: the user whose password it is, in basic authentication.",
            },
            "encoding": {"enum": ["hex", "base64"]},
            "digest": {"enum": ["sha256", "sha512", "sha1"]},
            "key": {"enum": ["text", "base64"], "description": "How the secret is written."},
        },
        ["scheme"],
        "How its requests are signed. A webhook of a connector without code has one.",
    )


def trigger() -> Json:
    """The member ``http`` of a trigger."""
    proof = closed(
        {"by": _POINTERS, "without": _POINTERS},
        ["by"],
        "Members that a signed body of the type has, and that it has not.",
    )
    kind = closed(
        {
            "members": {
                **_POINTERS,
                "description": "Where the body says it: the first that is there.",
            },
            "header": {
                **_TEXT,
                "description": "Header field that says it. It is not signed, so 'proven' is needed.",
            },
            "proven": {"type": "object", "additionalProperties": proof},
        },
        [],
        "The provider's type of an event. Other characters than letters and digits become "
        "underscores; capitals may become small letters.",
    )
    event = closed(
        {
            "type": kind,
            "read": {
                "const": "form",
                "description": "The body is a form, which is signed as one; left out, it is JSON.",
            },
            "items": {
                "type": "string",
                "pattern": "^(/|$)",
                "description": (
                    "The events in a body with several; empty if it is the list. The other "
                    "places are in one of them."
                ),
            },
            "key": {
                "anyOf": [_POINTER, _POINTERS],
                "description": (
                    "What makes an event the same, such as its ID, which is signed; left "
                    "out, it is a digest of the body."
                ),
            },
            "at": {
                **_POINTER,
                "description": "When it happened: a number since 1970, or a time of RFC 3339.",
            },
            "marker": {
                "anyOf": [_POINTER, closed({"query": _TEXT}, ["query"])],
                "description": "The marker of an attempt in what is signed, as evidence of a call "
                "in doubt: in the body, or a parameter "
                "of the query.",
            },
            "reference": {
                "anyOf": [_POINTER, _POINTERS],
                "description": (
                    "The ID with which the provider had answered what the event is about; of "
                    "several places the first."
                ),
            },
            "account": {**_POINTER, "description": "The ID of the provider's account."},
        },
        [],
        "Where the event is in a request.",
    )
    challenge = {
        **CHALLENGE,
        "description": "A handshake by which the provider checks the URL, and its answer.",
    }
    request = {
        name: about
        for name, about in _step()["properties"].items()
        if name in ("method", "path", "parameters", "body", "absent")
    }
    request |= {
        "method": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
        "query": {**_TEXT, "description": "Fixed part of the query."},
    }
    listed = {
        "items": {
            "type": "string",
            "description": "The registrations in the response; empty if it is the list.",
        },
        "url": {**_POINTER, "description": "The URL in a registration."},
        "id": {
            **_POINTER,
            "description": (
                "Its ID, which is the value 'hookId' of the other requests; of an address "
                "its last part."
            ),
        },
    }
    needed = ["method", "path"]
    register = closed(
        {
            "fixed": {
                "type": "object",
                "description": (
                    "Values for the requests, beside the inputs, 'hookUrl', 'hookSecret' and "
                    "'hookName'."
                ),
            },
            "list": closed({**request, **listed}, [*needed, "url", "id"]),
            "create": closed(request, needed),
            "update": {
                **closed(request, needed),
                "description": "Left out, a registration that is to change is removed and made anew.",
            },
            "remove": closed(request, needed),
            "id": {
                **_POINTER,
                "description": (
                    "The ID in the response of 'create'; left out, it is where that in the list is."
                ),
            },
            "secret": {
                **_POINTER,
                "description": (
                    "The secret in the response of 'create', or of 'tell', if the provider "
                    "makes it."
                ),
            },
            "tell": {
                **closed(request, needed),
                "description": "Request that asks for the secret, if the response of 'create' lacks it.",
            },
        },
        ["list", "create", "remove"],
        "How the URL is registered at the provider. Left out, a person does it.",
    )
    members = {"event": event, "challenge": challenge, "register": register, "poll": POLL}
    return closed(members, [], "How a connector without code receives it, and polls.")


def _parameter() -> Json:
    return closed(
        {
            "input": _KEY,
            "in": {"enum": ["path", "query", "header", "cookie"]},
            "name": {
                **_TEXT,
                "description": "Name in the request, where it differs from the input's.",
            },
            "style": {
                "enum": [
                    "simple",
                    "label",
                    "matrix",
                    "form",
                    "spaceDelimited",
                    "pipeDelimited",
                    "tabDelimited",
                    "deepObject",
                ]
            },
            "explode": {"type": "boolean"},
            "allowReserved": {"type": "boolean"},
            "encode": {
                "enum": ["json", "twice"],
                "description": (
                    "'twice': a value of a path that begins with a slash, or has two in a "
                    "row, is percent-encoded twice."
                ),
            },
            "quote": {
                "enum": ["odata"],
                "description": (
                    "Grammar of the quotation marks around a value: apostrophes in it are doubled."
                ),
            },
            "member": {
                **_TEXT,
                "description": (
                    "Member of the object that the header field is, as JSON; several inputs "
                    "make one field."
                ),
            },
        },
        ["input", "in"],
        "An input and its place in the request; styles and defaults are those of OpenAPI 3.",
    )


def _body() -> Json:
    encoding = closed({"style": _TEXT, "explode": {"type": "boolean"}, "contentType": _TEXT}, [])
    return closed(
        {
            "input": {**_KEY, "description": "The input that is the whole body."},
            "members": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": _TEXT,
                "description": "Instead of 'input': the inputs that are members of the body, each "
                "with the member's name; a name that is a "
                "JSON Pointer (/files/0/id) is that of a member further down.",
            },
            "required": {
                "type": "boolean",
                "description": "With 'members': a body is sent even if it has none.",
            },
            "encode": {"enum": ["json", "form", "multipart", "text", "bytes"]},
            "contentType": _TEXT,
            "base64": {
                **_TEXTS,
                "description": "With 'members': those of a JSON body that are files, sent as base64.",
            },
            "files": {**_TEXTS, "description": "Members of a multipart body that are files."},
            "encoding": {
                "type": "object",
                "additionalProperties": encoding,
                "description": "How single members are encoded.",
            },
            "defaults": {
                "type": "object",
                "description": "Members of an object that are sent where the inputs do not have them.",
            },
        },
        ["encode", "contentType"],
        "The inputs that are the request's body: 'input' or 'members'.",
    )


def _response() -> Json:
    return closed(
        {
            "read": {
                "enum": ["json", "text", "bytes", "none", "auto"],
                "description": "How the body is read; auto: by its media type.",
            },
            "accept": {**_TEXT, "description": "Media type that is asked for."},
            "types": {
                "type": "object",
                "additionalProperties": _TEXTS,
                "description": "Media types that are declared, by status ('201', '2XX', "
                "'default'); an empty list for a response without a "
                "body. A body of a declared type that cannot be read leaves a write a success "
                "without output; an empty one does not.",
            },
        },
        ["read"],
        "How the response becomes the output. A list becomes the member 'items', a single value "
        "'value', a file 'file'.",
    )
