"""Plans of changes to an account: made by reading, identified by a digest, and carried out only if
they are still the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import ConfigDict

from jackfield.connector import Conflict, Detail, Field, Output
from jackfield.kernel.dataclass import dataclass
from jackfield_aws_ses.provider import Regional

_DIGEST = {"pattern": "^[0-9a-f]{64}$"}


class Plannable(Regional):
    """Inputs of an action that plans first: exactly one of ``plan`` and ``apply``."""

    plan: bool = Field(
        False, title="Plan", description="Change nothing, and return the plan with its digest."
    )
    apply: str | None = Field(
        None,
        title="Apply",
        trim=True,
        blank="absent",
        schema=_DIGEST,
        expects="the digest of a plan: 64 characters of 0-9 and a-f",
        description=(
            "Digest of the plan to carry out. It is refused if what is there has changed since."
        ),
    )

    def rules(self) -> Iterable[Detail]:
        """Yield the fault of giving both or neither of ``plan`` and ``apply``."""
        if self.plan == (self.apply is not None):
            yield Detail(
                "/apply" if self.plan else "/plan",
                "give either 'plan': true or, in 'apply', the digest of a plan",
            )


@dataclass(frozen=True, slots=True)
class Change:
    """Step of a plan. ``to`` describes the state after it; ``run`` carries it out, or is None if
    one call carries out all steps.
    """

    resource: str
    name: str
    change: Literal["create", "update"]
    to: Mapping[str, Any]
    run: Callable[[], object] | None = None

    def to_json(self, region: str) -> dict[str, Any]:
        """Return the step as JSON, for output and digest."""
        return {
            "resource": self.resource,
            "name": self.name,
            "region": region,
            "change": self.change,
            "to": dict(self.to),
        }


class PlannedStep(Output):
    """Step of a plan."""

    model_config = ConfigDict(title="Step")

    resource: str = Field(description="Kind of what is made or changed.")
    name: str = Field(description="Its name.")
    region: str = Field(description="Its region.")
    change: str = Field(description="'create' or 'update'.")
    to: Mapping[str, Any] = Field(description="How it shall be.")


class Plan(Output):
    """Planned changes to an account, or the changes that were carried out."""

    digest: str = Field(description="SHA-256 of the steps as canonical JSON: give it as 'apply'.")
    applied: bool = Field(description="True: the steps were carried out; false: they are planned.")
    steps: tuple[PlannedStep, ...] = Field(
        description="Steps in the order in which they are done; none if all is there."
    )


def digest_of(steps: Sequence[Mapping[str, Any]]) -> str:
    """Return the SHA-256 of steps as canonical JSON: sorted members, no blanks, UTF-8."""
    text = json.dumps(steps, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def carried_out(
    wanted: Plannable,
    region: str,
    changes: Sequence[Change],
    at_once: Callable[[], object] | None = None,
) -> dict[str, Any]:
    """Return the output's members: the plan or, after running the steps (``at_once`` or one by
    one), the applied steps. Without any step, nothing is done, whatever the digest, so a repeated
    call does no harm.

    :raises Conflict: if the digest to apply is not the present plan's; the message holds the
        present one.
    """
    steps = [change.to_json(region) for change in changes]
    digest = digest_of(steps)
    if wanted.apply is not None and changes and wanted.apply != digest:
        text = f"what is there is not as it was when the plan was made: its digest is now {digest}"
        raise Conflict(
            text,
            hint=(
                "Read the plan again with 'plan': true, then apply its digest. Nothing was changed."
            ),
        )
    if wanted.apply is not None:
        for run in (at_once,) if at_once is not None else (change.run for change in changes):
            if run is not None:
                run()
    return {"digest": digest, "applied": wanted.apply is not None, "steps": steps}
