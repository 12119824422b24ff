"""What three tools see in the exceptions that leave the library: secrets, if no border cleared
their frames, and none as they come.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield.embedding.shown_frames import TOOLS, injected, spellings, variables

from jackfield import JackfieldError
from jackfield.kernel import frames
from jackfield_store.management.moving_in import Choices
from jackfield_store.runtime import Jackfield

SECRET = "tok-4711-v3ry-s+cret"
NEEDLES = spellings(SECRET)
BODY = {"password": SECRET}
_CALL = {
    "connector": "http",
    "action": "request",
    "connection": "m",
    "inputs": {"url": "/x", "method": "POST", "json": BODY},
}


class AuthorsApi:
    """What an author's package makes of a client: no class of ours."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def create(self) -> object:
        """Send a request."""
        return self._client.put("/x/{id}", {"id": SECRET}, headers={"Authorization": SECRET})


def _client(jackfield: Jackfield) -> Any:
    return jackfield.lend("m", "http").client()


def _streamed(jackfield: Jackfield) -> None:
    with _client(jackfield).stream("POST", "/x", json=dict(BODY)) as answer:
        answer.read()


def _elsewhere(jackfield: Jackfield) -> None:
    client = _client(jackfield)
    client.elsewhere(client.url("/y")).post("/x", json=dict(BODY))


async def _cancelled(jackfield: Jackfield, steps: int) -> None:
    task = asyncio.create_task(jackfield.ainvoke(dict(_CALL)))
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await task


async def _timed_out(jackfield: Jackfield) -> None:
    async with asyncio.timeout(0):
        await jackfield.ainvoke(dict(_CALL))


async def _grouped(jackfield: Jackfield) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(jackfield.await_("nobody"))
        group.create_task(jackfield.ainvoke(dict(_CALL)))


def _half_way(jackfield: Jackfield) -> None:
    """Throw into a generator that waits for its next step."""
    lines: Any = jackfield.connections.moving_in().take(
        f'[{{"token": "{SECRET}"}}, {{"token": "{SECRET}"}}]', Choices()
    )
    with suppress(StopIteration):
        next(lines)
    lines.throw(KeyError("the host's"))


def _replaced(jackfield: Jackfield) -> None:
    """Let a program's error stand before one of ours, which stands before another."""
    try:
        try:
            jackfield.connections.check("http/bearer", {"token": SECRET, "more": SECRET})
        except JackfieldError:
            jackfield.connections.add("n", "http/bearer", {"token": SECRET})
    except JackfieldError as error:
        raise KeyError("the host's") from error


PLACES: dict[str, Callable[[Jackfield], object]] = {
    "an author's own class over a lent client": lambda jf: AuthorsApi(_client(jf)).create(),
    "a request": lambda jf: _client(jf).request("GET", "/x", query={"key": SECRET}),
    "a request with a lone surrogate": lambda jf: _client(jf).post(
        "/x", json={"password": SECRET + "\ud800"}
    ),
    "a request that is no JSON": lambda jf: _client(jf).post("/x", json={"password": {SECRET}}),
    "a request with two bodies": lambda jf: _client(jf).post(
        "/x", json=dict(BODY), form=dict(BODY)
    ),
    "a URL": lambda jf: _client(jf).url("/{a}/{b}", {"a": SECRET}),
    "a stream": _streamed,
    "another server": _elsewhere,
    "cancelled at once": lambda jf: asyncio.run(_cancelled(jf, 1)),
    "cancelled later": lambda jf: asyncio.run(_cancelled(jf, 6)),
    "out of time": lambda jf: asyncio.run(_timed_out(jf)),
    "a group of tasks": lambda jf: asyncio.run(_grouped(jf)),
    "a generator, half way": _half_way,
    "an error before others": _replaced,
    "values that are refused": lambda jf: jf.connections.check(
        "http/bearer", {"server": 5, "token": SECRET, "more": SECRET}
    ),
}
"""What a program does, and where it fails."""


@pytest.fixture
def jackfield(tmp_path: Path) -> Iterator[Jackfield]:
    """A runtime with a stored connection, whose server nobody is."""
    with Jackfield(database_url=f"sqlite:///{tmp_path / 'j.db'}", environment={}) as found:
        found.connections.add(
            "m", "http/bearer", {"server": "http://127.0.0.1:9", "token": SECRET}, test=False
        )
        yield found


def _raised(jackfield: Jackfield, place: str, parts: int) -> Iterator[BaseException]:
    """What comes out of a place as it is, and with an exception in so many places of it."""
    calls, error = injected(lambda: PLACES[place](jackfield), -1)
    for at in (-1, *(max(1, calls * part // parts) for part in range(parts))):
        error = error if at < 0 else injected(lambda: PLACES[place](jackfield), at)[1]
        if error is not None:
            yield error


def _shows(text: str) -> bool:
    return any(needle in text for needle in NEEDLES)


# raised into before its first step
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("place", list(PLACES))
def test_no_place_of_a_program_shows_a_secret(place: str, jackfield: Jackfield) -> None:
    """Neither a lent client, also below a class of an author's, nor what is cancelled, thrown into
    half way or grouped.
    """
    errors = [*_raised(jackfield, place, 4)]
    for error in errors:
        assert [
            name
            for _, name, text in variables(error)
            if _shows(text) and name.partition(".")[0] not in _HOSTS
        ] == []
    assert errors


_HOSTS = {
    "_cancelled",
    "_timed_out",
    "_grouped",
    "_half_way",
    "_replaced",
    "_streamed",
    "_elsewhere",
    "create",
}


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.campaign
def test_what_the_tools_see(jackfield: Jackfield, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without borders, each tool shows secrets; with them, none."""
    seen: dict[bool, Counter[str]] = {}
    for cleared in (False, True):
        seen[cleared] = Counter()
        with monkeypatch.context() as patched:
            if not cleared:
                patched.setattr(frames, "clear", lambda _error: None)
            for place in PLACES:
                for error in _raised(jackfield, place, 1):
                    seen[cleared] += Counter(
                        {"errors": 1, **{name: _shows(show(error)) for name, show in TOOLS.items()}}
                    )
    for name in TOOLS:
        before, after = (
            f"{counts[name]} of {counts['errors']} errors" for counts in (seen[False], seen[True])
        )
        print(f"\n{name} shows a secret in {before} without borders, in {after} with them", end="")  # noqa: T201 (the campaign prints it)
    assert all(seen[False][name] > 0 == seen[True][name] for name in TOOLS)
