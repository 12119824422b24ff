"""gevent's ways to interrupt a call, on the real thing: ``python -m gevent.monkey
interrupting_gevent.py FOLDER KIND METHOD WAY...`` patches its process, and prints for each way what
came out of the call, what the provider got, and what the journal says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]
from tests.jackfield.embedding.interrupting import NAMED, Case, Hard, Named, NamedLate, raised_by

from host_provider import providing, request
from jackfield_store.runtime import Jackfield

LIMITS: Mapping[str, Callable[[float], gevent.Timeout]] = {
    "gevent.Timeout": gevent.Timeout,
    "gevent.Timeout, a class of the host's": lambda seconds: gevent.Timeout(seconds, Named),
    "gevent.Timeout, an OSError of the host's": lambda seconds: gevent.Timeout(seconds, NamedLate),
}
KILLS: Mapping[str, Callable[[gevent.Greenlet], object]] = {
    "greenlet.kill": lambda greenlet: greenlet.kill(block=False),
    "greenlet.kill, a class of the host's": lambda greenlet: greenlet.kill(Hard, block=False),
    "greenlet.kill, an OSError of the host's": lambda greenlet: greenlet.kill(
        NamedLate("enough"), block=False
    ),
}


def _limited(call: Callable[[], object], limit: gevent.Timeout) -> None:
    with limit:
        call()


def _stopped(
    way: str, case: Case, call: Callable[[], object], seconds: float
) -> BaseException | None:
    if way in LIMITS:
        limit = LIMITS[way](seconds)
        greenlet = gevent.spawn(raised_by, lambda: _limited(call, limit))
    else:
        greenlet = gevent.spawn(raised_by, call)
        assert case.provider.came.wait(60)
        KILLS[way](greenlet)
    raised: BaseException | None = greenlet.get()
    return raised


def _tried(way: str, kind: str, folder: Path, seconds: float, *, is_async: bool) -> dict[str, Any]:
    url = f"sqlite:///{folder / 'j.db'}"
    with (
        providing() as provider,
        Jackfield(
            connections=[provider.connection()], database_url=url, lets_out=NAMED
        ) as jackfield,
    ):
        jackfield.invoke(request()).unwrap()
        provider.paths.clear()
        case = Case(jackfield, provider, kind)
        raised = _stopped(way, case, case.looped() if is_async else case.call(), seconds)
        sent = list(provider.paths)
        provider.go.set()
        return {"way": way, "raised": type(raised).__name__, "sent": sent, "status": case.status}


def _sockets_own(folder: Path, seconds: float) -> dict[str, Any]:
    """What gevent throws in at the end of a socket's own time-out is no interrupt: the call ends at
    its deadline, with a Result.
    """
    with (
        providing() as provider,
        Jackfield(
            connections=[provider.connection()], database_url=f"sqlite:///{folder / 'own.db'}"
        ) as jackfield,
    ):
        result = jackfield.invoke(request("/slow", timeoutSeconds=seconds))
        provider.go.set()
    return {
        "way": "a socket's own time-out",
        "raised": "",
        "sent": [*provider.paths],
        "status": result.status,
    }


def main() -> None:
    """Print a line of JSON for each way. A time limit that passes before the provider has the
    request is tried again, with a longer one.
    """
    folder, kind, method = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    for number, way in enumerate(sys.argv[4:]):
        _write(folder / str(number), partial(_tried, way, kind, is_async=method == "async"))
    _write(folder / "own", _sockets_own)


def _write(folder: Path, tried: Callable[[Path, float], dict[str, Any]]) -> None:
    seconds, found = 0.25, None
    while found is None or (not found["sent"] and seconds < 60):
        seconds *= 2
        place = folder / str(seconds)
        place.mkdir(parents=True)
        found = tried(place, seconds)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
