"""Plugin of ``jackfield dev``: write a line to stderr for each invocation that ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from jackfield.cli.logs import announce
from jackfield.connector.hooks import hookimpl
from jackfield.invocation import Invocation, Meta
from jackfield.kernel.errors import JackfieldError


@hookimpl
@contextmanager
def around(invocation: Invocation, meta: Meta) -> Iterator[None]:
    """Print action, outcome and duration of an invocation. Error messages go only to the log, which
    redacts them.
    """
    started, outcome = time.perf_counter(), "interrupted"
    try:
        yield
        outcome = "dry run succeeded" if invocation.dry_run else "succeeded"
    except JackfieldError as error:
        outcome = "in doubt" if error.code == "in_doubt" else f"failed with {error.code}"
        raise
    finally:
        milliseconds = (time.perf_counter() - started) * 1000
        announce(
            f"jackfield: {invocation.connector} {invocation.action}: {outcome} in "
            f"{milliseconds:.0f} ms ({meta.invocation_id})"
        )
