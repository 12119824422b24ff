"""Features that take part in recorded calls. One order applies to all points of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.gates.parts import Parts
from jackfield.gates.policies import Judging
from jackfield_store.gates.approvals import Approvals
from jackfield_store.gates.evidence import Evidence
from jackfield_store.gates.guards import Guards
from jackfield_store.gates.jobs import Jobs
from jackfield_store.gates.keys import Keys
from jackfield_store.gates.limits import Limits
from jackfield_store.gates.paces import Paces
from jackfield_store.gates.quotas import Quotas
from jackfield_store.gates.twins import Twins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jackfield.call.gate import Gate
    from jackfield.gates.policies import Policies


def ordered(policies: Policies, *, rides: bool) -> Sequence[Gate]:
    """Return the gates in order, each with its points and the reason for its place. ``rides``: the
    database has one writer at a time.
    """
    return (
        # admit, before_begin, leave: first, since it costs nothing: what does not begin is counted
        # nowhere
        Limits(),
        # admit, check, output: nothing of the workspace is looked up for who may not call
        Judging(policies),
        # admit, before_begin, output: a repeat is answered before a person is asked
        Keys(policies),
        Approvals(policies),  # admit, begin, end, answer: nothing is opened before
        Guards(),  # check: they look at inputs
        Twins(),  # before_begin: the digest of the inputs, before the begin
        Evidence(),  # attempt, begin, end, answer: the marker goes with the begin
        Jobs(),  # follow: in the place of settling
        Parts(),  # answer: the caller's own view
        # before_begin, begin, output, end, leave: what another call answers, or a person has to,
        # takes no place
        Quotas(),
        # before_begin, begin, end: the outermost statements: what does not come due undoes all
        # others
        Paces(rides=rides),
    )
