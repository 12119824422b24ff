"""Processes over one database with a connector of jobs, whose provider is a folder: it outlives
processes, and tells what reached it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clocks import StillClock
from jackfield import Result
from jackfield_store.runtime.poller import Poller
from plugboard import make_connector, plugged
from processes import Processes, variables

_FURNACE = '''
"""Starts jobs at a provider that is a folder."""
import json, os
from pathlib import Path
from jackfield.connector import ConnectionType, Connector, Field, Inputs, JobFailed, Output, Progress, Unavailable, current_call

class Load(Inputs):
    """What to melt."""
    metal: str = Field("tin", title="Metal")

class Melt(Output):
    """Handle of a job."""
    id: str

class Ingot(Output):
    """What came out."""
    weight: int = Field(title="Weight", schema={"minimum": 0})

class Key(ConnectionType):
    """A key to the furnace."""
    key = "key"
    title = "Key"
    auth = "apiKey"
    setup = "Cut one."
    secret: str = Field(title="Secret", secret=True)

    def open(self, context) -> "Key":
        return self

connector = Connector("furnace", title="Furnace", version="1.0.0", connections=[Key])

def note(what, text):
    folder = Path(os.environ["FURNACE"])
    with open(folder / what, "a") as log:
        log.write(text + "\\n")
    died = folder / f"dies-{what}"
    if died.exists():
        died.unlink()
        os._exit(9)
    return len((folder / what).read_text().splitlines())

HOOKS = []

class Steps:
    def start(self, load: Load) -> Melt | Ingot:
        if load.metal == "gold":
            return Ingot(weight=1)
        for hook in HOOKS:
            hook(current_call().invocation_id)
        number = note("start", f"{load.metal} {current_call().idempotency_key}")
        return Melt(id=f"melt-{number}")

    def poll(self, melt: Melt) -> Progress | Ingot:
        number = note("poll", melt.id)
        answers = json.loads((Path(os.environ["FURNACE"]) / "answers").read_text())
        answer = answers[min(number, len(answers)) - 1]
        if "weight" in answer:
            return Ingot(**answer)
        if "failed" in answer:
            raise JobFailed(answer["failed"])
        if "unavailable" in answer:
            raise Unavailable(answer["unavailable"], repeatable=False)
        return Progress(**answer)

@connector.action("melt", kind="job", effect="write", needs_connection=False)
class Writes(Steps):
    """Melt metal."""
    def cancel(self, melt: Melt) -> None:
        note("cancel", melt.id)

@connector.action("carry", kind="job", effect="idempotent", needs_connection=False)
class Carries(Writes):
    """Carry metal by hand: only polls do the work."""
    cancels_late = True

@connector.action("look", kind="job", effect="read", needs_connection=False)
class Reads(Steps):
    """Look how metal melts."""

@connector.action("meltOnce", kind="job", effect="idempotent", idempotent_by="key", needs_connection=False)
class Once(Steps):
    """Melt metal once for a key."""

@connector.action("forge", kind="job", effect="write")
class Forges(Steps):
    """Forge metal behind a door."""
    def start(self, load: Load, key: Key) -> Melt | Ingot:
        return super().start(load)

    def poll(self, melt: Melt, key: Key) -> Progress | Ingot:
        note("keys", key.secret)
        return super().poll(melt)

@connector.action("weigh", effect="read", needs_connection=False)
def weigh(_load: Load) -> Ingot:
    """Weigh metal."""
    return Ingot(weight=1)
'''


class Folder:
    """The provider: what reached it, and what polls are answered: one after the other, the last one
    again and again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.answers({"fraction": 0.5, "text": "melting"})

    def answers(self, *answers: Mapping[str, Any]) -> None:
        """Answer further polls so; the first of them is the one after those that were made."""
        past: list[Mapping[str, Any]] = [{}] * len(self.reached("poll"))
        (self.folder / "answers").write_text(json.dumps([*past, *answers]))

    def reached(self, what: str) -> list[str]:
        """A line for each ``start``, ``poll`` or ``cancel``."""
        log = self.folder / what
        return log.read_text().splitlines() if log.exists() else []

    def kills(self, what: str) -> None:
        """Let the next process die that has told the provider to ``start``, ``poll`` or ``cancel``,
        before it hears the answer.
        """
        (self.folder / f"dies-{what}").touch()


class JobStage(Processes):
    """Processes on one database, and the connector's provider. The clock moves where a call
    waits.
    """

    def __init__(
        self, environment: dict[str, str], provider: Folder, clock: StillClock | None = None
    ) -> None:
        super().__init__(environment, clock)
        self.provider = provider

    def invoke(self, action: str = "melt", **more: Any) -> Result:
        """Start a job and wait for it as a caller does."""
        return self.runtime.invoke({"connector": "furnace", "action": action, "inputs": {}, **more})

    def queue(self, action: str = "melt", **more: Any) -> str:
        """Queue a job, and return its ID."""
        found = self.runtime.enqueue(
            {"connector": "furnace", "action": action, "inputs": {}, **more}
        )
        assert isinstance(found, str)
        return found

    def while_starting(self, hook: Callable[[str], object]) -> None:
        """Call ``hook`` with the ID of each job while it starts in this process."""
        importlib.import_module("jackfield_furnace").HOOKS[:] = [hook]

    def poll(self, seconds: float = 0.0) -> int:
        """Let time pass, then poll all jobs that are due; return how many there were."""
        self.move(seconds)
        poller = Poller(self.pool, lambda _result: None)
        claimed = poller.claim()
        jobs = [] if isinstance(claimed, float) else claimed

        async def all_at_once() -> None:
            await asyncio.gather(*map(poller.poll, jobs))

        asyncio.run(all_at_once())
        return len(jobs)

    def dies(self, step: str) -> None:
        """Fork a process that does ``step`` (``work`` or ``poll``) and dies as the provider's
        folder says; then recover.
        """
        self.killed(getattr(self, step))


@contextmanager
def furnace(folder: Path) -> Iterator[Folder]:
    """Install the connector, and open its provider. Its folder is for the variable ``FURNACE``."""
    make_connector(folder / "plugs", "furnace", _FURNACE)
    with plugged(folder / "plugs"):
        yield Folder(folder / "furnace")


@contextmanager
def job_stage(folder: Path, database_url: str) -> Iterator[JobStage]:
    """Make the connector and its provider, and open the stage."""
    with (
        variables(folder, database_url, FURNACE=str(folder / "furnace")) as environment,
        furnace(folder) as provider,
        JobStage(environment, provider) as stage,
    ):
        yield stage


__all__ = ["Folder", "JobStage", "furnace", "job_stage"]
