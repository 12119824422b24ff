"""The fixtures ``place`` and ``person``, for modules that name this one in ``pytest_plugins``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext
from tests.jackfield_service.subjects.connect.connect_site import Asking, Place, Platform, Shifted

from http_stand import SETTINGS, standing
from jackfield.testing import Provider
from jackfield_store.access import Workspaces
from jackfield_store.access.platform_tokens import PlatformTokens
from oauth2_site import make_people
from plugboard import plugged
from ports import free_port
from raw_server import make_certificate, server_context


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all."""
    folder: Path = tmp_path_factory.mktemp("approvals")
    make_people(folder / "packages")
    clock, port = Shifted(), free_port()
    authority, certificate = Asking(), str(make_certificate(folder))
    origin = f"https://localhost:{port}"
    settings = replace(
        SETTINGS, port=port, public_url=origin, certificate=certificate, key=certificate
    )
    context = server_context(certificate)
    with (
        plugged(folder / "packages"),
        Provider(authority) as provider,
        Provider(Platform.answer) as site,
        Provider(Platform.answer, tls=context) as sister,
        standing(folder, settings, clock=clock) as stand,
    ):
        storage = stand.host.storage
        Workspaces(storage.database, storage.vault, stand.host.clock).create("acme-1")
        made = PlatformTokens(storage.database, storage.vault, stand.host.clock).create(
            "acme-*", "The Shop"
        )
        shop = stand.host.identities.find(made.text)
        assert shop is not None
        urls = (site.url, sister.url.replace("127.0.0.1", "localhost"))
        yield Place(stand, provider, authority, *urls, origin, shop.actor, clock)


@pytest.fixture
def person(browser: Browser, place: Place) -> Iterator[BrowserContext]:
    """Somebody's browser, which believes the server's certificate."""
    place.authority.asks = False
    context = browser.new_context(ignore_https_errors=True, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    yield context
    context.close()
