"""Jobs: the handle of a started job is stored, and the process that polls the job writes its
end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.gates import unrecorded

if TYPE_CHECKING:
    from jackfield.call.attempts import Attempts
    from jackfield.call.reached import Ended
    from jackfield.connector.conversion import Handle


class _Job(unrecorded.Following):
    __slots__ = ()

    async def _followed(self, attempts: Attempts, handle: Handle) -> Ended:
        """Store the job's handle, and wait for its end until the call's deadline."""
        from jackfield_store.recording.jobs import followed

        return await followed(self.found.pipe, attempts, handle)


class Jobs(unrecorded.Jobs):
    """Gate that stores the handles of jobs."""

    part = _Job
