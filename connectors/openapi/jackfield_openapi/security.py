"""Connection types from security schemes: one for each combination of credentials that an operation
accepts.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

from jackfield.kernel.markup import markdown
from jackfield_openapi.naming import camel, words
from jackfield_openapi.operations import Operation, is_name
from jackfield_openapi.pointing import Pointing
from jackfield_openapi.report import Report
from jackfield_openapi.sign_ins import (
    ACCOUNTS,
    Part,
    bearer,
    flow_parts,
    provider_part,
    signature,
    text_field,
)

ANONYMOUS = "anonymous"
_SUFFIXES = {
    "oauth2ClientCredentials": "client",
    "oauth2AuthorizationCode": "account",
    "openIdConnect": "account",
}
_MOST = 12
"""Maximum number of connection types of one connector; documents with more list variants of one
type.
"""

Json = dict[str, Any]
Alternative = tuple[str, ...]
"""Names of the schemes that are required together."""


def parts_of(scheme: Json, about: str) -> list[Part]:
    """Return the credentials that satisfy a scheme, the preferred first; empty if the scheme is not
    supported.
    """
    kind = scheme.get("type")
    if kind == "apiKey":
        return _of_key(scheme, about)
    if kind == "http":
        return _of_http(str(scheme.get("scheme", "")).lower(), about)
    if kind == "oauth2":
        own = scheme.get("x-jackfield")
        pasted = (
            []
            if isinstance(own, dict) and own.get("token") is False
            else [bearer("Access token", about)]
        )
        return [*flow_parts(scheme, about), *pasted]
    if kind == "openIdConnect":
        return [provider_part(scheme, about), bearer("Access token", about)]
    if kind == "mutualTLS":
        fields = {
            "certificate": text_field("Certificate", "PEM, the chain included.", multiline=True),
            "privateKey": text_field("Private key", "PEM.", secret=True, multiline=True),
        }
        return [
            Part(
                "mutualTls",
                "Client certificate",
                "mutualTls",
                fields,
                ("certificate", "privateKey"),
            )
        ]
    return []


def _of_key(scheme: Json, about: str) -> list[Part]:
    if str(scheme.get("x-amazon-apigateway-authtype", "")).lower() == "awssigv4":
        return [signature(about)]
    own = scheme.get("x-jackfield")
    if isinstance(own, dict) and own.get("in") == "path" and is_name(scheme.get("name"), "path"):
        field = {"value": text_field("Token", about, secret=True)}
        return [
            Part(
                "apiKey",
                "Token in the address",
                "apiKey",
                field,
                ("value",),
                {"in": "path", "name": scheme["name"]},
            )
        ]
    if scheme.get("in") not in ("header", "query", "cookie") or not is_name(
        scheme.get("name"), scheme["in"]
    ):
        return []
    row = {"in": scheme["in"], "name": scheme["name"]}
    return [
        Part(
            "apiKey",
            "API key",
            "apiKey",
            {"value": text_field("API key", about, secret=True)},
            ("value",),
            row,
        )
    ]


def _of_http(way: str, about: str) -> list[Part]:
    if way == "basic":
        fields = {
            "username": text_field("User name"),
            "password": text_field("Password", about, secret=True),
        }
        return [Part("basic", "User name and password", "basic", fields, ("username", "password"))]
    return [bearer("Token", about)] if way == "bearer" else []


class Security:
    """Security schemes of one document, and the alternatives that its operations use."""

    def __init__(self, pointing: Pointing, report: Report) -> None:
        self._report = report
        self._root = pointing.root
        self._schemes: dict[str, list[Part]] = {}
        self._used: dict[Alternative, list[str]] = {}
        self._keys: list[str] = []
        self._descriptions: dict[str, str] = {}
        self._flows: dict[str, Json] = {}
        self.path_keys: dict[str, str] = {}
        """Value of the connection by the name of the part of a path that it fills."""
        components = self._root.get("components")
        listed = components.get("securitySchemes") if isinstance(components, dict) else None
        for name, given in listed.items() if isinstance(listed, dict) else ():
            at = f"/components/securitySchemes/{name}"
            try:
                scheme, at = pointing.resolved(given, at)
            except LookupError:
                continue
            given_about = scheme.get("description")
            about = given_about.strip() if isinstance(given_about, str) else ""
            self._descriptions[name] = markdown(about).strip()
            self._schemes[name] = parts_of(scheme, about)
            self.path_keys |= {
                part.row["name"]: "value"
                for part in self._schemes[name]
                if part.row.get("in") == "path"
            }
            if scheme.get("type") == "oauth2" and isinstance(scheme.get("flows"), dict):
                self._flows[name] = scheme["flows"]
            if not self._schemes[name]:
                report.lossy(
                    "security scheme",
                    at,
                    f"'{name}' ({str(scheme.get('type'))[:40]}) is not supported",
                )

    def alternatives(self, operation: Operation) -> list[Alternative]:
        """Return the combinations of schemes that an operation accepts; an empty combination needs
        no credentials.

        :raises LookupError: if every combination needs a scheme that is not supported.
        """
        given = operation.raw.get("security", self._root.get("security"))
        if given is None:
            usable = [name for name, parts in self._schemes.items() if parts]
            if len(usable) == 1 and len(self._schemes) == 1:
                return [(usable[0],)]
            if self._schemes:
                self._report.assumed(
                    "no security declared",
                    operation.at,
                    "any of the connector's connections serves it",
                )
            return [(name,) for name in usable] or [()]
        found: dict[Alternative, None] = {}
        lacking: set[str] = set()
        for one in given if isinstance(given, list) else ():
            names = self._once(one) if isinstance(one, dict) else ()
            missing = {name for name in names if not self._schemes.get(name)}
            lacking |= missing
            if not missing:
                found[names] = None
        if not found and lacking:
            raise LookupError(
                f"it needs the security scheme '{min(lacking)[:80]}', which is not supported"
            )
        return list(found) or [()]

    def _once(self, requirement: Json) -> Alternative:
        """Return the schemes that are required together.

        OAuth 2.0 schemes with the same scopes are flows of one sign-in: the authorization code flow
        is preferred, then the first.
        """
        names: list[str] = []
        alike: dict[str, str] = {}
        for name in sorted(requirement):
            asked = (
                repr(sorted(map(str, requirement[name])))
                if isinstance(requirement[name], list)
                else ""
            )
            if name not in self._flows or asked in ("", "[]"):
                names.append(name)
            elif asked not in alike or (
                "authorizationCode" in self._flows[name]
                and "authorizationCode" not in self._flows[alike[asked]]
            ):
                alike[asked] = name
        return tuple(sorted([*names, *alike.values()]))

    def scopes(self, operation: Operation) -> list[str]:
        """Return the scopes that the first alternative of an operation needs."""
        given = operation.raw.get("security", self._root.get("security"))
        first = given[0] if isinstance(given, list) and given and isinstance(given[0], dict) else {}
        return sorted(
            {
                scope
                for scopes in first.values()
                if isinstance(scopes, list)
                for scope in scopes
                if isinstance(scope, str) and scope
            }
        )

    def use(self, alternatives: list[Alternative], key: str) -> None:
        """Record that the action ``key`` accepts these alternatives."""
        self._keys.append(key)
        for one in alternatives:
            self._used.setdefault(one, []).append(key)

    def connection_types(self, server: Json) -> list[Json]:
        """Return the connection types of the connector, the most used first; ``server`` has the
        fields common to all.
        """
        ranked = sorted(self._used, key=lambda one: -len(self._used[one]))
        everywhere = set(self._used.get((), ()))
        rows: list[Json] = []
        taken: set[str] = set()
        for one in ranked:
            for parts in product(*(self._schemes[name] for name in one)):
                if sum(part.kind in ACCOUNTS for part in parts) > 1:
                    # a connection keeps the approval of one person; the alternative with a token
                    # serves
                    continue
                if len(rows) < _MOST:
                    rows.append(self._row(one, parts, server, taken, everywhere))
                else:
                    self._report.lossy(
                        "too many connection types",
                        "/components/securitySchemes",
                        f"{' and '.join(one)} is left out",
                    )
        return rows

    def _row(
        self,
        names: Alternative,
        parts: tuple[Part, ...],
        server: Json,
        taken: set[str],
        everywhere: set[str],
    ) -> Json:
        key = self._key(names, parts, taken)
        properties: Json = {}
        required: list[str] = []
        credentials: list[Json] = []
        for name, part in zip(names, parts, strict=True):
            prefix = camel(words(name)) if len(parts) > 1 else ""
            fields = {
                own: own if not prefix else prefix + own[0].upper() + own[1:] for own in part.fields
            }
            properties |= {fields[own]: about for own, about in part.fields.items()}
            required += [fields[own] for own in part.required]
            row: Json = {"kind": part.kind, "scheme": name, **part.row}
            credentials.append({**row, "fields": fields} if prefix else row)
        schema: Json = {
            "type": "object",
            "properties": {**properties, **server["properties"]},
            "additionalProperties": False,
        }
        needed = [*required, *server["required"]]
        if needed:
            schema["required"] = needed
        served = (
            [*self._used[names], *(found for found in self._keys if found in everywhere)]
            if names
            else sorted(everywhere)
        )
        found: Json = {
            "key": key,
            "title": self._title(names, parts),
            "description": self._about(names, parts),
            "auth": parts[0].auth if parts else "none",
            **(
                {"authorizes": ["redirect", "device"]}
                if any(part.kind in ACCOUNTS for part in parts)
                else {}
            ),
            "schema": schema,
            "setup": "",
            "http": {"credentials": credentials},
        }
        chosen = set(served)
        if chosen != set(self._keys):
            listed = [one for one in self._keys if one in chosen]
            found["serves"] = {
                "actions": listed,
                "reason": "the other actions ask for other credentials",
            }
        return found

    def _title(self, names: Alternative, parts: tuple[Part, ...]) -> str:
        """Return the kinds of the credentials as a title; the schemes' names instead if several
        schemes share a kind.
        """
        alike = Counter(others[0].title for others in self._schemes.values() if others)
        titles = [
            _worded(name, part) if alike[part.title] > 1 else part.title
            for name, part in zip(names, parts, strict=True)
        ]
        return " and ".join(titles)[:200] or "Without credentials"

    def _about(self, names: Alternative, parts: tuple[Part, ...]) -> str:
        """Return the document's description of the schemes, else their kinds: customers who read it
        do not know the schemes' names.
        """
        if not names:
            return "For actions that need no credentials."
        said = [self._descriptions.get(name, "") for name in names]
        return (
            "\n\n".join(said)
            if all(said)
            else f"Signs in by {' and '.join(part.title for part in parts)}."
        )

    def _key(self, names: Alternative, parts: tuple[Part, ...], taken: set[str]) -> str:
        if not names:
            wanted = ANONYMOUS
        else:
            pieces = []
            for name, part in zip(names, parts, strict=True):
                others = self._schemes[name]
                suffix = (
                    []
                    if part is others[-1] and len(others) == 1
                    else [_SUFFIXES.get(part.kind, "token")]
                )
                pieces += [*words(name), *suffix]
            wanted = camel(pieces) or "credentials"
        key, number = wanted, 1
        while key in taken:
            number += 1
            key = f"{wanted}{number}"
        taken.add(key)
        return key


def _worded(name: str, part: Part) -> str:
    """Return a scheme's name in words, with the place of a key: "Client token, header"."""
    place = str(part.row.get("in", ""))
    named = [word.lower() for word in words(name)]
    if place and named[-1:] == [place]:
        named.pop()
    return ", ".join(filter(None, (" ".join(named).capitalize(), place))) or part.title


def used_alternatives(
    operation: Operation, security: Security, report: Report
) -> list[Alternative] | None:
    """Return an operation's alternatives; None, with an entry in the report, if none of them is
    supported.
    """
    try:
        return security.alternatives(operation)
    except LookupError as error:
        report.left_out("security scheme", operation.at, str(error))
        return None
