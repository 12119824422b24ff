"""Writes that their providers know by a key: after a lost answer they are sent again with the same
key, wherever it stands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jackfield.testing import RESET, Answer, Provider, Request
from shelved import answered, manifest_of, running, services

Json = dict[str, Any]


def _rows() -> Iterator[Any]:
    """Yield each action that is idempotent by its key, of services that take a key or a token as it
    is entered.
    """
    for key, service in services().items():
        if "'idempotentBy'" in str(service.document["paths"]):
            manifest = manifest_of(key)
            kind = next(one for one in manifest["connectionTypes"] if "authorizes" not in one)
            is_entered = "oauth2" not in str(kind["http"])
            for row in manifest["actions"] if is_entered else ():
                if row.get("idempotentBy") == "key":
                    yield pytest.param(key, row, id=f"{key}-{row['key']}")


_ROWS = [*_rows()]
assert _ROWS


def _places(request: Request) -> Json:
    """Return the values of a request by their places."""
    query = {
        f"?{name}": values[0] for name, values in parse_qs(urlsplit(request.path).query).items()
    }
    try:
        body = request.json()
    except ValueError:
        body = {}
    return {
        **{name.lower(): value for name, value in request.headers.items()},
        **query,
        **(body if isinstance(body, dict) else {}),
    }


def _place(row: Json) -> str:
    """Return where the key stands in a request."""
    http = row["http"]
    if "idempotencyHeader" in http:
        return str(http["idempotencyHeader"]).lower()
    owner = http["idempotencyInput"]["input"]
    placed = [one.get("name", owner) for one in http.get("parameters", ()) if one["input"] == owner]
    return f"?{placed[0]}" if placed else str(http["body"]["members"][owner])


@pytest.mark.parametrize(
    "own", [None, "order-4711", "k" * 200], ids=["of the call", "of the caller", "long"]
)
@pytest.mark.parametrize(("key", "row"), _ROWS)
def test_a_lost_answer_is_asked_for_again_by_the_same_key(
    tmp_path: Path, key: str, row: Json, own: str | None
) -> None:
    """Both requests have one key, of the length that the provider takes: what it did is done once,
    and its answer is the call's.
    """
    done: list[Any] = []

    def play(number: int, request: Request) -> Any:
        done.append(_places(request).get(_place(row)))
        return RESET if number == 1 else Answer(answered(key, row, {"id": "4711"}))

    with (
        Provider(play) as provider,
        running(tmp_path, key, provider.url, stores=own is not None) as jackfield,
    ):
        asked = json.loads(json.dumps(row["examples"][0]["invocation"]["inputs"]))
        asked.pop(row["http"].get("idempotencyInput", {}).get("input", ""), None)
        call = {
            "connector": key,
            "action": row["key"],
            "connection": "main",
            "inputs": asked,
            "timeoutSeconds": 20,
        }
        result = jackfield.invoke(call | ({} if own is None else {"idempotencyKey": own}))
    assert result.meta.attempts == 2, result
    assert len({*done}) == 1
    assert 0 < len(done[0]) <= row["http"].get("idempotencyInput", {}).get("longest", 255)
