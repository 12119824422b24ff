"""Put ``once`` and other libraries that make an action happen once beside each other, on the same
thirty faults.

``make adapters`` runs it in the environment of the adapters, which has those libraries, and it
prints the table of docs/performance-boundaries.md. Each call is made by a child process; the
provider is a file, in which a line is an effect. A cell says how many effects there were, and what
the caller was told at the end.
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

ABSENT, UNKNOWN = object(), object()
PAID = "paid"
LEASE = 1.0
"""Seconds for which production-agent-systems takes a dead process for a living one; by default 30,
for which nobody wants to wait here.
"""


class Declined(Exception):
    """The provider has refused."""


@dataclass(frozen=True)
class Receipt:
    """A value that is no JSON."""

    id: str


class Asked(NamedTuple):
    """One call: what the function does, its key and argument, and how the provider is asked."""

    do: Callable[[], Any]
    key: Any = "order-1"
    amount: Any = 5
    look: Callable[[], Any] | None = None
    waits: bool = False
    returns: Any = None


class Nothing:
    """No library: two tries, as most programs have."""

    title = "two tries"

    def __init__(self, folder: Path) -> None:
        del folder

    def call(self, asked: Asked) -> Any:
        """Try, and try once more."""
        try:
            return asked.do()
        except Declined:
            raise
        except Exception:  # noqa: BLE001 (as such programs do)
            return asked.do()

    async def acall(self, asked: Asked) -> Any:
        """Do it in a coroutine."""
        await asyncio.sleep(0.2)
        return asked.do()

    def settle(self, *, done: bool) -> None:
        """Nobody can be told."""

    def told(self, error: BaseException) -> str:
        """What an exception says."""
        return type(error).__name__


class Once(Nothing):
    """This project's."""

    title = "once"

    def __init__(self, folder: Path) -> None:
        from jackfield import Jackfield

        self._runtime = Jackfield(connections=[], database_url=f"sqlite:///{folder}/jackfield.db")

    def _declared(self, asked: Asked) -> Any:
        from jackfield import once

        found = asked.look
        return once(
            "charge",
            key=lambda key, *_, **__: key,
            refusals=(Declined,),
            runtime=self._runtime,
            absent_after=60.0 if asked.waits else 0.0,
            look=None if found is None else lambda _: self._finding(found()),
        )

    @staticmethod
    def _finding(found: Any) -> Any:
        import jackfield

        return (
            jackfield.ABSENT
            if found is ABSENT
            else jackfield.UNKNOWN
            if found is UNKNOWN
            else found
        )

    def call(self, asked: Asked) -> Any:
        """Call a decorated function."""

        def charge(key: Any, amount: Any) -> Any:
            del key, amount
            return asked.do()

        charge.__annotations__["return"] = asked.returns or Any
        return self._declared(asked)(charge)(asked.key, asked.amount)

    async def acall(self, asked: Asked) -> Any:
        """Call a decorated coroutine function."""

        async def charge(key: Any, amount: Any) -> Any:
            del key, amount
            await asyncio.sleep(0.2)
            return asked.do()

        return await self._declared(asked)(charge)(asked.key, asked.amount)

    def settle(self, *, done: bool) -> None:
        """Resolve the one doubt."""
        journal = self._runtime.journal_of()
        (entry,), _ = journal.entries(status="in_doubt")
        output: Any = {"output": {"value": PAID}} if done else {}
        journal.resolve(entry.id, "succeeded" if done else "failed", by="operator", **output)

    def told(self, error: BaseException) -> str:
        """The status of a Result, or its code."""
        from jackfield import InvocationFailed

        if not isinstance(error, InvocationFailed):
            return super().told(error)
        failure = error.result.error
        return (
            "doubt"
            if error.result.status == "in_doubt"
            else "refused"
            if failure is not None and not failure.retryable
            else "not now"
        )


class Call4Agents(Nothing):
    """The package of that name."""

    title = "Call4Agents"

    def __init__(self, folder: Path) -> None:
        import call4agents

        self._kit, self._path = call4agents, folder / "ledger.sqlite"
        call4agents.init(str(self._path), secret=b"0123456789abcdef")

    def _declared(self, asked: Asked) -> Any:
        found = asked.look

        def reconcile(**_: Any) -> Any:
            seen = found() if found is not None else UNKNOWN
            if seen is UNKNOWN:
                raise LookupError
            return None if seen is ABSENT else seen

        return self._kit.effect(
            name="charge",
            key=lambda key, *_, **__: key,
            reconcile=None if found is None else reconcile,
            retry_on=(Declined,),
        )

    def call(self, asked: Asked) -> Any:
        """Call a decorated function within a run."""

        @self._declared(asked)  # type: ignore[untyped-decorator]  # it is in another environment
        def charge(key: Any, amount: Any) -> Any:
            del key, amount
            return asked.do()

        with self._kit.run("shop"):
            return charge(asked.key, asked.amount)

    async def acall(self, asked: Asked) -> Any:
        """Call a decorated coroutine function within a run."""

        @self._declared(asked)  # type: ignore[untyped-decorator]  # it is in another environment
        async def charge(key: Any, amount: Any) -> Any:
            del key, amount
            await asyncio.sleep(0.2)
            return asked.do()

        with self._kit.run("shop"):
            return await charge(asked.key, asked.amount)

    def settle(self, *, done: bool) -> None:
        """Resolve the one doubt."""
        from call4agents import ops

        ledger = self._kit.current_ledger()
        (key,) = (key for key, action in ops.actions(ledger).items() if not action["done"])
        ops.resolve(ledger, key, "done" if done else "not-done", "seen", PAID if done else None)

    def told(self, error: BaseException) -> str:
        """A doubt, or a refusal of the key."""
        kinds = {self._kit.EffectInDoubt: "doubt", self._kit.KeyConflict: "refused"}
        return next(
            (said for kind, said in kinds.items() if isinstance(error, kind)), type(error).__name__
        )


class AgentSystems(Nothing):
    """production-agent-systems."""

    title = "production-agent-systems"

    def __init__(self, folder: Path) -> None:
        import production_agent_systems

        self._kit = production_agent_systems
        self._executor = production_agent_systems.EffectExecutor(
            ledger=production_agent_systems.SQLiteEffectLedger(folder / "effects.db"),
            lease_seconds=LEASE,
        )

    def call(self, asked: Asked) -> Any:
        """Execute a contract."""
        kit, look = self._kit, asked.look

        def handler(_arguments: Any, **_: Any) -> Any:
            try:
                return asked.do()
            except Declined as error:
                raise kit.EffectRejected from error

        def probe(_arguments: Any, **_: Any) -> Any:
            found = look() if look is not None else UNKNOWN
            if found is UNKNOWN:
                return kit.OutcomeProbeResult(status=kit.ProbeStatus.UNKNOWN)
            if found is ABSENT:
                return kit.OutcomeProbeResult(status=kit.ProbeStatus.NOT_COMMITTED)
            return kit.OutcomeProbeResult(status=kit.ProbeStatus.COMMITTED, output=found)

        contract = kit.EffectContract(
            name="charge",
            operation_id=lambda given: given["key"],
            outcome_probe=None if look is None else probe,
        )
        result = self._executor.execute(
            contract=contract, arguments={"key": asked.key, "amount": asked.amount}, handler=handler
        )
        if result.confirmed:
            return result.output
        raise _Told(
            "not now"
            if result.in_progress
            else "refused"
            if result.status is kit.EffectStatus.REJECTED
            else "doubt"
        )

    async def acall(self, asked: Asked) -> Any:
        """Say that it takes no coroutine functions."""
        del asked
        raise _Told("no coroutines")

    def settle(self, *, done: bool) -> None:
        """Resolve the one doubt."""
        why = {"actor": "operator", "reason": "seen", "evidence_reference": "none"}
        if done:
            self._executor.resolve_manually_confirmed("order-1", PAID, **why)
        else:
            self._executor.authorize_manual_retry("order-1", **why)

    def told(self, error: BaseException) -> str:
        """What its result says, or an exception."""
        if isinstance(error, self._kit.OperationConflictError):
            return "refused"
        return str(error) if isinstance(error, _Told) else type(error).__name__


class _Told(Exception):
    """An outcome that is returned, not raised."""


class Play:
    """One fault, played with one library in a folder."""

    def __init__(self, library: type[Nothing], folder: Path) -> None:
        self.library, self.folder, self.said = library, folder, "nothing"
        self._effects = folder / "effects.txt"
        self._effects.touch()

    def effect(self) -> str:
        """Take effect, and return the value."""
        with self._effects.open("a", encoding="ascii") as file:
            file.write("charged\n")
        return PAID

    def count(self) -> int:
        """Effects."""
        return self._effects.read_text(encoding="ascii").count("charged")

    def look(self) -> Any:
        """Look for the effect."""
        return PAID if self.count() else ABSENT

    def then(self, after: Callable[[], Any]) -> Callable[[], Any]:
        """A function that takes effect, and then does something."""
        return lambda: (self.effect(), after())[1]

    def begin(self, run: Callable[[Nothing], Any]) -> Callable[[], str]:
        """Start a child that runs something with its library; return what waits for what it was
        told.
        """
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(read)
            os.write(write, self._told(run).encode())
            os._exit(0)
        os.close(write)

        def ended() -> str:
            with os.fdopen(read) as pipe:
                said = pipe.read()
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            return said or f"ended ({code})"

        return ended

    def _told(self, run: Callable[[Nothing], Any]) -> str:
        made: Nothing | None = None
        try:
            made = self.library(self.folder)
            found = run(made)
        except BaseException as error:  # noqa: BLE001 (whatever a caller is told)
            return made.told(error) if made is not None else type(error).__name__
        return (
            "value"
            if found in (PAID, Receipt("r-1"))
            else f"{found}"
            if isinstance(found, str)
            else f"{type(found).__name__} value"
        )

    def calls(self, do: Callable[[], Any] | None = None, **asked: Any) -> str:
        """Call in a child, and note what it was told."""
        self.said = self.begin(lambda library: library.call(Asked(do or self.effect, **asked)))()
        return self.said

    def settles(self, *, done: bool) -> None:
        """A person says what became of it."""
        self.begin(lambda library: library.settle(done=done))()


def _kill() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return PAID


def _slept(seconds: float) -> str:
    time.sleep(seconds)
    return PAID


def _raise(error: BaseException) -> Any:
    raise error


def _full() -> str:
    """Leave no room on the disk, as far as this process knows."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    return PAID


def _ended(play: Play, do: Callable[[], Any], **asked: Any) -> None:
    """Something goes wrong in the function, and another process repeats the call."""
    play.calls(do, **asked)
    if play.library is AgentSystems:
        time.sleep(LEASE + 0.2)
    play.calls(**asked)


def _at_once(play: Play, threads: int, seconds: float = 0.5) -> None:
    def all_of_them(library: Nothing) -> str:
        found = list[str]()
        start = threading.Barrier(threads)

        def one() -> None:
            start.wait()
            try:
                found.append(
                    "value"
                    if library.call(Asked(play.then(lambda: _slept(seconds)))) == PAID
                    else "other"
                )
            except BaseException as error:  # noqa: BLE001 (as above)
                found.append(library.told(error))

        running = [threading.Thread(target=one) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return ", ".join(sorted(set(found), reverse=True))

    play.said = play.begin(all_of_them)()


def _waits(play: Play, after: Callable[[], Any]) -> None:
    """A second process calls while the first one runs."""
    ready = play.folder / "ready"

    def calls(library: Nothing) -> Any:
        ready.touch()
        while not play.count():
            time.sleep(0.01)
        return library.call(Asked(play.effect))

    second = play.begin(calls)
    while not ready.exists():
        time.sleep(0.01)
    first = play.begin(lambda library: library.call(Asked(play.then(after))))
    play.said = second()
    first()


def _coroutines(play: Play) -> None:
    async def both(library: Nothing) -> str:
        found = await asyncio.gather(
            *(library.acall(Asked(play.effect)) for _ in range(2)), return_exceptions=True
        )
        return ", ".join(
            sorted({"value" if one == PAID else library.told(one) for one in found}, reverse=True)
        )

    play.said = play.begin(lambda library: asyncio.run(both(library)))()


def _late(play: Play) -> None:
    """The effect is seen only after the look has said that there is none."""
    looked = play.folder / "looked"

    def sent() -> Any:
        if os.fork() == 0:
            os.closerange(3, 256)  # else who waits for this child's caller waits for it
            try:
                while not looked.exists():
                    time.sleep(0.01)
                play.effect()
            finally:
                os._exit(0)
        raise TimeoutError

    play.calls(sent, look=play.look, waits=True)
    play.calls(look=play.look, waits=True)
    looked.touch()
    time.sleep(2.0)


def _at(play: Play, seconds: float) -> None:
    """A repeat, at another time by the process's clock."""
    import time_machine

    play.calls()

    def later(library: Nothing) -> Any:
        with time_machine.travel(time.time() + seconds, tick=True):
            return library.call(Asked(play.effect))

    play.said = play.begin(later)()


def _damaged(play: Play) -> None:
    play.calls(key="order-0")
    play._effects.write_text("", encoding="ascii")
    for path in play.folder.iterdir():
        if path != play._effects and path.is_file():
            path.write_bytes(b"no database" * 1000)
    play.calls()


def _resolved(play: Play, *, done: bool) -> None:
    _ended(play, play.then(_kill) if done else _kill)
    play.settles(done=done)
    play.calls()


def _full_first(play: Play, library: Nothing) -> Any:
    _full()
    return library.call(Asked(play.effect))


FAULTS: Sequence[tuple[str, Callable[[Play], Any], str]] = (
    (
        "killed after the effect; there is a look",
        lambda p: _ended(p, p.then(_kill), look=p.look),
        "1 value",
    ),
    ("killed after the effect; no look", lambda p: _ended(p, p.then(_kill)), "1 doubt"),
    (
        "killed before the effect; there is a look",
        lambda p: _ended(p, _kill, look=p.look),
        "1 value",
    ),
    ("killed before the effect; no look", lambda p: _ended(p, _kill), "0 doubt"),
    (
        "Ctrl-C after the effect",
        lambda p: _ended(p, p.then(lambda: _raise(KeyboardInterrupt()))),
        "1 doubt",
    ),
    (
        "an exception after the effect: its caller",
        lambda p: p.calls(p.then(lambda: _raise(OSError()))),
        "1 doubt",
    ),
    (
        "an exception after the effect: a repeat",
        lambda p: _ended(p, p.then(lambda: _raise(OSError()))),
        "1 doubt",
    ),
    (
        "an exception after the effect; there is a look",
        lambda p: _ended(p, p.then(lambda: _raise(OSError())), look=p.look),
        "1 value",
    ),
    (
        "a timeout before the effect; there is a look",
        lambda p: _ended(p, lambda: _raise(TimeoutError()), look=p.look),
        "1 value",
    ),
    ("a timeout, and the effect comes after the look", _late, "1 (doubt|value)"),
    (
        "a declared refusal, then a repeat",
        lambda p: _ended(p, lambda: _raise(Declined())),
        "1 value|0 refused",
    ),
    (
        "the look raises",
        lambda p: _ended(p, p.then(_kill), look=lambda: _raise(OSError())),
        "1 doubt",
    ),
    ("the look cannot tell", lambda p: _ended(p, p.then(_kill), look=lambda: UNKNOWN), "1 doubt"),
    ("a person says that it happened", lambda p: _resolved(p, done=True), "1 value"),
    ("a person says that it did not", lambda p: _resolved(p, done=False), "1 value"),
    ("two threads at once", lambda p: _at_once(p, 2), "1 value"),
    ("twenty threads at once", lambda p: _at_once(p, 20), "1 value"),
    ("two coroutines at once", _coroutines, "1 value"),
    (
        "a second process, while the first takes 0.5 s",
        lambda p: _waits(p, lambda: _slept(0.5)),
        "1 value",
    ),
    (
        "a second process, while the first takes 4 s",
        lambda p: _waits(p, lambda: _slept(4)),
        "1 value",
    ),
    (
        "the first is killed while a second waits",
        lambda p: _waits(p, lambda: (_slept(1), _kill())),
        "1 doubt",
    ),
    ("another request under the key", lambda p: [p.calls(), p.calls(amount=6)], "1 refused"),
    (
        "arguments that are no JSON",
        lambda p: p.calls(amount=object()),
        "0 (refused|TypeError|ValueError)",
    ),
    (
        "a value that is no JSON: its caller",
        lambda p: p.calls(p.then(object)),
        "1 (object value|doubt)",
    ),
    (
        "a value of a dataclass, replayed",
        lambda p: [p.calls(p.then(lambda: Receipt("r-1")), returns=Receipt) for _ in "12"],
        "1 value",
    ),
    ("the clock goes back an hour", lambda p: _at(p, -3_600), "1 value"),
    ("the clock goes on by 31 days", lambda p: _at(p, 31 * 86_400), "1 value"),
    (
        "no room on the disk when a call begins",
        lambda p: setattr(p, "said", p.begin(lambda library: _full_first(p, library))()),
        "0 [A-Za-z ]+",
    ),
    ("no room on the disk when it ends: a repeat", lambda p: _ended(p, p.then(_full)), "1 doubt"),
    ("the record is damaged, then a new call", _damaged, "0 [A-Za-z ]+"),
)
"""Faults, how they are played, and the cell that is wanted: effects, and what the last caller is
told.
"""

LIBRARIES: Sequence[type[Nothing]] = (Once, Call4Agents, AgentSystems, Nothing)
PACKAGES = ("jackfield", "call4agents", "production-agent-systems")


def main() -> None:
    """Play all faults with all libraries, and print the table."""
    print(", ".join(f"{name} {version(name)}" for name in PACKAGES), end="\n\n", flush=True)
    print(
        "| fault | "
        + " | ".join(library.title for library in LIBRARIES)
        + " |\n| --- |"
        + " --- |" * len(LIBRARIES),
        flush=True,
    )
    right, harmed = [0] * len(LIBRARIES), [0] * len(LIBRARIES)
    for name, fault, wanted in FAULTS:
        cells = []
        for place, library in enumerate(LIBRARIES):
            with tempfile.TemporaryDirectory() as folder:
                play = Play(library, Path(folder))
                fault(play)
                effects = play.count()
            cell = f"{effects} {play.said}"
            is_right, harms = (
                re.fullmatch(wanted, cell) is not None,
                effects > 1 or cell == "0 value",
            )
            right[place] += is_right
            harmed[place] += harms
            cells.append(f"**{cell}**" if harms else cell if is_right else f"*{cell}*")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    print(f"| as wanted, of {len(FAULTS)} | " + " | ".join(map(str, right)) + " |")
    print("| effects twice, or a success without one | " + " | ".join(map(str, harmed)) + " |")


if __name__ == "__main__":
    main()
