"""A server whose data keys a key service wraps: what an outage of that service changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_vault.vault_server import VaultServer

from http_stand import Client, mint, standing
from jackfield_service.shell.process import readiness
from waiting import until

INLINE = {"type": "echo/token", "values": {"token": "s3cret-token", "greeting": "Hi"}}
SAY = {"connector": "echo", "action": "say", "connection": INLINE, "inputs": {"text": "hello"}}
URI = "vault-transit://transit/ours"


def test_an_outage_of_the_key_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workspaces whose keys are cached are served, the server is ready and warns; others get 503,
    and the error names the service. A server that starts meanwhile is not ready, until the service
    is back.
    """
    monkeypatch.setattr(readiness, "_FRESH", 0.0)
    with VaultServer() as vault:
        vault.transit.make("ours")
        more: Any = {**vault.environment(), "JACKFIELD_KEY_WRAPPERS": URI}
        warm, cold = (
            mint(tmp_path / "home", workspace=name, **more) for name in ("acme", "globex")
        )
        with standing(tmp_path, **more) as stand:
            acme, globex, operator = (
                Client(stand.port, warm),
                Client(stand.port, cold),
                stand.client(),
            )
            assert acme.post("/v1/invocations", SAY).status == 200
            assert acme.get("/readyz").json == {"status": "ok"}
            vault.status = 503
            # the events of its creation may have needed its key
            stand.host.storage.vault.forget("globex")
            refused = globex.post("/v1/invocations", SAY)
            assert refused.status == 503, refused.json
            assert f"the key service '{URI}' cannot be reached" in str(refused.json)
            assert acme.post("/v1/invocations", SAY).status == 200
            ready = acme.get("/readyz")
            assert (ready.status, ready.json["status"]) == (200, "ok")
            assert ready.json["kinds"] == ["key_service"]
            assert (
                "workspaces whose keys are cached are served"
                in operator.get("/readyz").json["warnings"][0]
            )
            assert URI not in str(ready.json)
        with standing(tmp_path / "again", **more, JACKFIELD_HOME=str(tmp_path / "home")) as stand:
            acme = Client(stand.port, warm)
            assert acme.get("/readyz").status == 503
            assert acme.post("/v1/invocations", SAY).status == 503
            vault.status = None
            stand.host.storage.close()  # as after the five seconds in which it is not asked again
            # loops may have met the outage, and wait
            until(lambda: acme.get("/readyz").json == {"status": "ok"})
            assert acme.post("/v1/invocations", SAY).status == 200
