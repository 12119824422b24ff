"""A catalogue of all actions of AWS and generated connectors, 200 or in a campaign 1,000: start,
memory, search, listing, and cold commands.

``CATALOGUE_FOLDER`` keeps the generated connectors for the next run; they are made anew by default:
a minute of CPU time for 1,000. ``python -m benchmarks.catalogue_size search`` is the part that runs
in a process of its own.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.cold import COMMAND, invoke
from benchmarks.measure import CAMPAIGN, ROOT, Command, Line, compared, endpoint, run_child
from benchmarks.thousand import corpus, make
from benchmarks.trees import environment

_TICKS = os.sysconf("SC_CLK_TCK")
_WAIT = 300
_IDLE = 3
_MIB = 1024 * 1024
_ROUNDS = 7
_COUNT = 1_000 if CAMPAIGN else 200
_BOUND = ["tokens", "create", "--scope", "read", "--allow", "stripe/*", "--allow", "aws.s3/*"]
_OFFERS = {"*": {"aws": {"services": ["*"]}}}


def lines() -> Iterator[Line]:
    """All lines about a large catalogue."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(os.environ.get("CATALOGUE_FOLDER") or Path(scratch) / "generated")
        made = make(folder, _COUNT, corpus())
        home = Path(scratch) / "home"
        home.mkdir()
        (home / "offers.json").write_text(json.dumps(_OFFERS), encoding="utf-8")
        settings = {"JACKFIELD_HOME": str(home), "PYTHONPATH": str(folder / "installed")}
        yield Line(
            "the large catalogue below: all actions of AWS, and connectors generated from "
            "OpenAPI documents",
            _about(made),
        )
        for what in (
            "with a new data folder, so that the search index has to be made",
            "with the search index of an earlier start",
        ):
            yield from _served(f"large catalogue: a server {what}", settings)
        yield from _searched(settings)
        yield from _commands(settings, Path(scratch))


def _about(made: dict[str, Any]) -> str:
    return (
        f"{made['connectors']:,} connectors with {made['actions']:,} actions from "
        f"{made['source']}: {made['median']} at the median, "
        f"{made['hundreds']} with 100 and more, {made['most']:,} at most"
    )


class _Server:
    """A server in a process of its own."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        port: int,
        started: float,
        ready: tuple[float, float],
    ) -> None:
        self._process = process
        self._port = port
        self.started = started
        self.wall, self.cpu_until_ready = ready

    def cpu(self) -> float:
        """Seconds of CPU time so far."""
        return self._cpu(11)

    def cpu_of_children(self) -> float:
        """Seconds of CPU time of the processes that it has started and that have ended."""
        return self._cpu(13)

    def _cpu(self, first: int) -> float:
        fields = (
            Path(f"/proc/{self._process.pid}/stat")
            .read_text(encoding="ascii")
            .rpartition(")")[2]
            .split()
        )
        return (int(fields[first]) + int(fields[first + 1])) / _TICKS

    def memory(self) -> float:
        """Resident memory in MiB."""
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return (
            int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1])
            / 1024
        )

    def get(self, path: str, token: str = "") -> bytes:
        """Answer of one request."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}",
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )
        with urllib.request.urlopen(request, timeout=_WAIT) as reply:
            found: bytes = reply.read()
        return found


@contextmanager
def _serving(settings: dict[str, str]) -> Iterator[_Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.perf_counter()
    found = environment(settings={"JACKFIELD_DATABASE_URL": "", **settings})
    with subprocess.Popen(
        [COMMAND, "serve", "--port", str(port)],
        env=found,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as it:
        server = _Server(it, port, started, (0.0, 0.0))
        try:
            while not _is_ready(server):
                if it.poll() is not None or time.perf_counter() - started > _WAIT:
                    raise RuntimeError("the server has not become ready")
                time.sleep(0.02)
            yield _Server(it, port, started, (time.perf_counter() - started, server.cpu()))
        finally:
            it.terminate()
            it.wait(_WAIT)


def _is_ready(server: _Server) -> bool:
    try:
        return bool(server.get("/readyz"))
    except OSError:
        return False


def _served(what: str, settings: dict[str, str]) -> Iterator[Line]:
    with _serving(settings) as server:
        searchable = (
            _seconds_until_searchable(server, settings)
            if (is_first := "new data folder" in what)
            else 0.0
        )
        time.sleep(_IDLE)
        idle = server.memory()
        token = json.loads(_run(["tokens", "create", "--scope", "manage", "--json"], settings))[
            "token"
        ]
        asked = _cpu_of(
            server,
            [
                "/v1/actions?q=list+buckets",
                "/v1/actions?q=send+email",
                "/v1/connectors?fields=key,title,version,actions,status&limit=100",
            ],
            token,
        )
        used = server.memory()
        bound = json.loads(_run([*_BOUND, "--json"], settings))["token"]
        ruled = _cpu_of(
            server, ["/v1/connectors?fields=key,title,version,actions,status&limit=100"], bound
        )[0]
        grown = server.memory() - used
        index_cpu = server.cpu_of_children()
    cpu = server.cpu_until_ready
    yield Line(
        f"{what}: CPU until ready",
        f"{cpu:.2f} s ({server.wall:.2f} s passed)",
        "≤ 1.5 s",
        cpu <= 1.5,
    )
    if is_first:
        shown = (
            f"{searchable:.2f} s after the start at most, {index_cpu:.2f} s of CPU in a "
            "process of its own"
        )
        yield Line(f"{what}: until the index is made and a search is answered", shown)
    yield Line(
        f"{what}: memory when idle, and after searches and lists",
        f"{idle:.0f} MiB, {used:.0f} MiB",
        "≤ 150 MiB",
        idle <= 150,
    )
    if not is_first:
        yield Line(
            f"{what}: CPU of a list of 100 connectors",
            f"{asked[-1] * 1000:.0f} ms",
            "≤ 100 ms",
            asked[-1] <= 0.1,
        )
        shown = f"{ruled * 1000:.0f} ms, and {grown:.0f} MiB of memory"
        yield Line(
            f"{what}: CPU of the first list for a token with rules", shown, "≤ 100 ms", ruled <= 0.1
        )


def _seconds_until_searchable(server: _Server, settings: dict[str, str]) -> float:
    """Return the seconds from the start until a search is answered, with those that making its
    token takes.
    """
    token = json.loads(_run(["tokens", "create", "--scope", "read", "--json"], settings))["token"]
    while True:
        try:
            server.get("/v1/actions?q=list+buckets", token)
        except urllib.error.HTTPError as error:
            if error.code != 503:  # on a busy machine the index takes longer than a request waits
                raise
        else:
            return time.perf_counter() - server.started


def _cpu_of(server: _Server, paths: list[str], token: str) -> list[float]:
    found = []
    for path in paths:
        before = server.cpu()
        server.get(path, token)
        found.append(server.cpu() - before)
    return found


def _run(words: list[str], settings: dict[str, str]) -> str:
    found = environment(settings={"JACKFIELD_DATABASE_URL": "", **settings})
    return subprocess.run(
        [COMMAND, *words], check=True, capture_output=True, text=True, cwd=ROOT, env=found
    ).stdout


def _searched(settings: dict[str, str]) -> Iterator[Line]:
    found = run_child("benchmarks.catalogue_size", "search", settings=settings)
    shown = (
        f"p50 {found['p50']:.1f} ms, p95 {found['p95']:.1f} ms, at most {found['most']:.1f} "
        "ms of CPU"
    )
    yield Line(
        f"large catalogue: a search among {found['rows']:,} actions, 20 rows",
        shown,
        "p95 ≤ 20 ms",
        found["p95"] <= 20,
    )
    right = f"{found['right']} of {found['queries']}" + (
        f"; not {', '.join(found['wrong'])}" if found["wrong"] else ""
    )
    yield Line(
        "large catalogue: everyday queries with the right action first",
        right,
        "all",
        not found["wrong"],
    )


def _search() -> None:
    from everyday_queries import EVERYDAY_QUERIES
    from jackfield.callers.searching import found_actions
    from jackfield.catalog import Catalog, of_workspace
    from jackfield.catalog.index import ActionIndex

    whole = Catalog.installed()
    index, catalog = ActionIndex(whole), of_workspace(whole, "default")
    index.build()
    taken, wrong = [], []
    for line in EVERYDAY_QUERIES.strip().splitlines():
        words, _, wanted = line.partition("=")
        before = time.process_time()
        found, _ = found_actions(index, catalog, words, None, None, 0, 20)
        taken.append((time.process_time() - before) * 1000)
        if f"{found[0].connector.removeprefix('aws.')} {found[0].action}" not in wanted.split("|"):
            wrong.append(words)
    taken.sort()
    print(
        json.dumps(
            {
                "rows": len(index.find("")[0]),
                "queries": len(taken),
                "right": len(taken) - len(wrong),
                "wrong": wrong,
                "p50": statistics.median(taken),
                "p95": taken[int(len(taken) * 0.95)],
                "most": taken[-1],
            }
        )
    )


def _commands(settings: dict[str, str], folder: Path) -> Iterator[Line]:
    (folder / "alone").mkdir()
    named = (
        (["--help"], 3.0),
        (["connectors", "list"], None),
        (["search", "list", "buckets"], None),
    )
    with endpoint(blind=True) as aws:
        send = invoke(folder, aws.url)
        for words, goal in (*named, (send.words[1:], 1.3)):
            shared = send.settings if words == send.words[1:] else {}
            large = Command(
                [COMMAND, *words],
                {**shared, "PYTHONPATH": settings["PYTHONPATH"]},
                home=Path(settings["JACKFIELD_HOME"]),
            )
            found = compared(
                large, Command(large.words, shared, home=folder / "alone"), rounds=_ROUNDS
            )
            shown = " ".join(words[:1] if shared else words)
            what = (
                f"large catalogue: cold `jackfield {shown}` against that with the connectors "
                "of this repository only"
            )
            yield found.line(what, at_most=goal)


if __name__ == "__main__":
    _search()
