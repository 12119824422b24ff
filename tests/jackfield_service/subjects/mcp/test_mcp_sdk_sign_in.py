"""Clients that know nothing but the URL of ``/mcp``, of the Python and the TypeScript SDK: they
sign in, step up, and come back.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx2 import AsyncClient
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from http_stand import SETTINGS, Stand, say, standing
from jackfield_service.shell.identity.identity_providers import Jwt
from oidc_provider import AuthorizationServer, authorization_server
from ports import free_port

CALLBACK = "http://127.0.0.1:3030/callback"
BOTH = "jackfield:read jackfield:invoke"
CALL = say("say", {"type": "token", "values": {"token": "t-4711"}}, text="hello")
_SCRIPT = Path(__file__).parents[3] / "clients" / "mcp-sign-in.mjs"
_NODE = Path(__file__).parents[4] / ".venv" / "node"


@pytest.fixture(scope="module")
def provider() -> Iterator[AuthorizationServer]:
    """An identity provider at which clients register themselves."""
    with authorization_server() as found:
        yield found


@pytest.fixture(scope="module")
def stand(
    tmp_path_factory: pytest.TempPathFactory, provider: AuthorizationServer
) -> Iterator[Stand]:
    """A server that takes the provider's tokens."""
    port = free_port()
    jwt = Jwt(f"{provider.issuer}/jwks", provider.issuer, "jackfield")
    with standing(
        tmp_path_factory.mktemp("sdk"),
        replace(SETTINGS, port=port, jwt=jwt, public_url=f"http://127.0.0.1:{port}"),
    ) as found:
        yield found


@dataclass
class Kept:
    """What a client keeps between its runs."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """Return the tokens."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep the tokens."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Return what the provider has registered."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep what the provider has registered."""
        self.client = client_info


class Person:
    """Client with the Python SDK, and Ada, who approves in her browser."""

    def __init__(self, stand: Stand, provider: AuthorizationServer) -> None:
        self.url, self.kept, self.asked = f"http://127.0.0.1:{stand.port}/mcp", Kept(), list[str]()
        self._browser, self._answer = provider.browser(), dict[str, str]()

    @property
    def granted(self) -> set[str]:
        """Scopes of the token that it has."""
        return {*((self.kept.tokens and self.kept.tokens.scope) or "").split()} - {"offline_access"}

    async def _approve(self, page: str) -> None:
        self.asked += parse_qs(urlsplit(page).query)["scope"]
        self._answer = await asyncio.to_thread(self._browser.approve, page)

    async def _answered(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(self._answer)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        """Connect with what is kept."""
        metadata = OAuthClientMetadata(
            client_name="A client",
            redirect_uris=[AnyUrl(CALLBACK)],
            token_endpoint_auth_method="none",
        )
        auth = OAuthClientProvider(self.url, metadata, self.kept, self._approve, self._answered)

        @asynccontextmanager
        async def transport() -> AsyncIterator[Any]:
            async with (
                AsyncClient(auth=auth, timeout=30, trust_env=False, verify=False) as http,
                streamable_http_client(self.url, http_client=http) as streams,
            ):
                yield streams

        async with Client(transport()) as client:
            yield client

    async def call(self) -> bool:
        """Run an action over a new connection; return whether it succeeded."""
        async with self.connected() as client:
            return not (await client.call_tool("execute_action", CALL)).is_error


def test_the_python_sdk_signs_in(stand: Stand, provider: AuthorizationServer) -> None:
    """It finds the provider, registers, and asks for the scopes of the challenge; granted less, it
    looks around, and asks once more for a call. Later it comes back with what it has kept, and a
    token that no longer holds is renewed without a person.
    """
    ada = Person(stand, provider)

    async def act() -> None:
        async with ada.connected() as client:
            assert (await client.list_tools()).tools
        assert (ada.asked, ada.granted) == ([f"{BOTH} offline_access"], {"jackfield:read"})
        assert await ada.call()
        assert (len(ada.asked), ada.granted) == (2, {*BOTH.split()})
        assert await ada.call()
        assert len(ada.asked) == 2

    asyncio.run(act())
    assert provider.count("/reg") >= 1


def by_typescript(stand: Stand, *grants: str) -> Any:
    """What the client with the TypeScript SDK has done."""
    script = _NODE / _SCRIPT.name
    part = script.with_suffix(f".{os.getpid()}")
    shutil.copy(_SCRIPT, part)
    part.replace(script)
    url = f"http://127.0.0.1:{stand.port}/mcp"
    command = [
        str(shutil.which("node")),
        str(script),
        url,
        "execute_action",
        json.dumps(CALL),
        "authorization_code",
        *grants,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["first"]["asked"], said["first"]["granted"], said["first"]["tools"] > 0) == (
        [BOTH],
        "jackfield:read",
        True,
    )
    return said["then"]


def test_the_typescript_sdk_signs_in(stand: Stand) -> None:
    """It does the same. Where it has a refresh token it does not step up, so that is tried without
    one.
    """
    assert by_typescript(stand) == {"asked": 2, "granted": BOTH, "failed": False}


def test_the_typescript_sdk_comes_back(stand: Stand) -> None:
    """A token that no longer holds is renewed without a person."""
    found = by_typescript(stand, "refresh_token")
    assert (found["asked"], found["tools"] > 0) == (1, True)
