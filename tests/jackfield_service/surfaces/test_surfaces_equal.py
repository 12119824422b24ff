"""Every vector gives what it says through every surface, the same Result through all of them; and
the corpus itself is sound.

Vectors of what SES's actions do are in ``test_surfaces_equal_actions``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import jsonschema_rs
import pytest
from tests.jackfield_service.surfaces.surfaces import (
    GROUPS_OF_CALLS,
    SURFACES,
    complaints,
    disagreements,
    parameters,
    played,
)

from corpus import FOLDER, Vector, files, vectors
from jackfield.catalog import Catalog
from jackfield.kernel.errors import CODES
from rabbitmq import missing

pytest_plugins = ["warm"]

_OF_NO_VECTOR = {"approval_required", "idempotency_conflict", "cancelled", "not_allowed"}
"""Codes that no single invocation can come to: they need a journal, a caller who leaves, or rules
(tests/jackfield_store/access).
"""


@pytest.mark.parametrize("given", parameters(lambda group: group in GROUPS_OF_CALLS))
def test_surfaces_give_equal_results(given: Sequence[tuple[Vector, tuple[str, ...]]]) -> None:
    """A vector gives what it says through every surface that can express it: the library, the
    command line, the HTTP API, MCP, the queue.

    That is the Result, the calls of AWS, the exit code or status, and no traceback. Ids, durations
    and the wording of hints aside, all Results are equal; Result and invocation fit their published
    schemas. Some vectors run in a process of their own, too.
    """
    assert [found for vector, surfaces in given for found in disagreements(vector, surfaces)] == []


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_vector_files_fit_their_schema(path: Path) -> None:
    """Each file of the corpus is of the form that vectors.schema.json describes."""
    schema = json.loads((FOLDER / "vectors.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema_rs.Draft202012Validator(schema)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert [
        f"{error.instance_path}: {error.message[:200]}" for error in validator.iter_errors(document)
    ] == []


def test_corpus_is_large_and_its_names_are_unique() -> None:
    """There are at least 600 vectors, each with a name of its own and a sentence."""
    names = Counter(vector.name for vector in vectors())
    assert len(names) >= 600
    assert [name for name, count in names.items() if count > 1] == []
    assert [vector.name for vector in vectors() if not vector.says.endswith((".", "…"))] == []
    assert 10 <= sum(vector.process for vector in vectors()) <= 25


_OF_MORE = {"setUpAccount", "setUpDns", "tearDownEvents"}
"""Actions that need Amazon SNS or Route 53, too, which the vectors' provider is not."""


def test_each_action_has_a_success_and_a_refusal() -> None:
    """Each action of Amazon SES has a vector with an output and one that fails: a new action needs
    both.
    """
    actions = Catalog.installed().find("aws-ses").actions.keys()
    given = [
        (str(vector.given.get("action")), vector.expect)
        for vector in vectors()
        if isinstance(vector.given, Mapping) and not vector.echo
    ]
    assert actions - {action for action, expect in given if "output" in expect} == _OF_MORE
    assert (
        actions - {action for action, expect in given if expect["status"] == "failed"} - _OF_MORE
        == set()
    )


def test_corpus_covers_every_code() -> None:
    """Each error code of the contract that one invocation can come to has a vector."""
    covered = {vector.expect["error"]["code"] for vector in vectors() if "error" in vector.expect}
    assert CODES.keys() - covered == _OF_NO_VECTOR


def test_the_queue_takes_all_that_can_be_queued() -> None:
    """More than half of the vectors go through the queue, and the waits of their retries are
    compared, too. Skipped without RabbitMQ, when the comparison of the surfaces leaves the queue
    out.
    """
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    taken = [vector for vector in vectors() if SURFACES["queue"].takes(vector)]
    assert len(taken) >= 384
    waiting = next(vector for vector in taken if "waited" in vector.expect)
    play = played("queue", waiting)
    assert play.waited is not None
    assert complaints(waiting, play) == []
