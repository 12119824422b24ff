"""Connections of generated connectors that a person approves, against a real authorization
server.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jackfield.catalog import Catalog
from jackfield_openapi.conversion import Choices, converted
from jackfield_store.runtime import Jackfield
from oidc_provider import REDIRECT_URI, AuthorizationServer, authorization_server
from openapi_rig import document, generate, operation
from plugboard import declare, plugged


@pytest.fixture(scope="module")
def provider() -> Iterator[AuthorizationServer]:
    """One authorization server, whose resource is ``/me``."""
    with authorization_server() as found:
        yield found


@contextmanager
def _runtime(folder: Path, scheme: dict[str, Any]) -> Iterator[Jackfield]:
    schemes = {"login": scheme, "app": {"type": "apiKey", "in": "header", "name": "X-App"}}
    about = operation(operationId="whoAmI", security=[{"login": [], "app": []}])
    generate(folder, document({"/me": {"get": about}}, components={"securitySchemes": schemes}))
    declare(
        folder / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    database, home = f"sqlite:///{folder}/j.db", {"JACKFIELD_HOME": str(folder)}
    with (
        plugged(folder / "made"),
        Jackfield(catalog=Catalog.installed(), database_url=database, environment=home) as found,
    ):
        yield found


_OAUTH = {
    "type": "oauth2",
    "flows": {
        "authorizationCode": {
            "authorizationUrl": "/auth",
            "tokenUrl": "/token",
            "scopes": {"mail.read": "Read"},
        }
    },
}
_OIDC = {"type": "openIdConnect", "openIdConnectUrl": "/.well-known/openid-configuration"}


@pytest.mark.parametrize("scheme", [_OAUTH, _OIDC], ids=["oauth2", "openIdConnect"])
def test_a_person_approves_a_generated_connection(
    tmp_path: Path, provider: AuthorizationServer, scheme: dict[str, Any]
) -> None:
    """Before the approval an invocation says what to do; afterwards it is signed in by the person's
    token and the API key together.
    """
    given = provider.values()
    values = {
        f"login{name[:1].upper()}{name[1:]}": value
        for name, value in given.items()
        if name != "server"
    }
    values |= {"loginScopes": " ".join(given["scopes"]), "appValue": "k", "server": given["server"]}
    if scheme is _OAUTH:
        del values["loginIssuer"]
    called = {"connector": "acme", "action": "whoAmI", "connection": "ada", "inputs": {}}
    with _runtime(tmp_path, scheme) as runtime:
        runtime.connections.add("ada", "acme/appLoginAccount", values, test=False)
        refused = runtime.invoke(called)
        assert refused.error is not None
        assert "nobody has approved" in refused.error.message
        authorizing = runtime.connections.authorizing()
        begun = authorizing.begin("ada", REDIRECT_URI)
        authorizing.complete(begun["id"], provider.browser().approve(begun["url"]))
        assert runtime.invoke(called).unwrap() == {"sub": "ada"}
        assert runtime.connections.show("ada")["authorization"]["status"] == "granted"
        before = provider.count("/token/revocation")
        runtime.connections.remove("ada")
        assert provider.count("/token/revocation") - before == 1


def test_schemes_of_one_kind_are_told_apart() -> None:
    """Several keys have the schemes' names in words as titles, and what the document says of each;
    a single one stays "API key".
    """
    about = {"type": "apiKey", "name": "X-Key"}
    schemes = {
        "clientTokenHeader": {**about, "in": "header", "description": "A client's token."},
        "appTokenQuery": {**about, "in": "query"},
        "login": {"type": "http", "scheme": "basic"},
    }
    paths = {
        f"/{name}": {"get": operation(operationId=name, security=[{name: []}])} for name in schemes
    }
    found = converted(document(paths, components={"securitySchemes": schemes}), Choices())
    assert [(row["title"], row["description"]) for row in found.manifest["connectionTypes"]] == [
        ("Client token, header", "A client's token."),
        ("App token, query", "Signs in by API key."),
        ("User name and password", "Signs in by User name and password."),
    ]
