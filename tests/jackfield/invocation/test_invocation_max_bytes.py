"""``maxBytes``: what an output is like where it has more bytes, and a stored file with the
whole.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inmemory import installed
from jackfield import Result
from jackfield.call.part_of_output import shape
from jackfield.callers import Caller
from jackfield.connector import Connector, Field, Inputs, Output
from jackfield.kernel.errors import InvalidInvocation, NotFound
from jackfield_store.runtime import Jackfield

_SCHEMA = json.loads(
    (Path(__file__).parents[3] / "schemas/result.schema.json").read_text(encoding="utf-8")
)
_LETTERS = "é"


class _Asked(Inputs):
    count: int


class _Rows(Output):
    rows: list[dict[str, Any]]
    note: str


class _Key(Output):
    key: str = Field(secret=True)
    note: str


def _rows() -> Connector:
    found = Connector("rows", title="Rows", version="1.0.0")

    @found.action("list", effect="read", needs_connection=False)
    def rows(asked: _Asked) -> _Rows:
        """List rows."""
        return _Rows(
            rows=[{"id": number, "name": f"n{number}"} for number in range(asked.count)],
            note=_LETTERS,
        )

    @found.action("put", effect="write", needs_connection=False)
    def put(asked: _Asked) -> _Rows:
        """Write rows."""
        return _Rows(
            rows=[{"id": number, "name": f"n{number}"} for number in range(asked.count)],
            note=_LETTERS,
        )

    @found.action("key", effect="write", needs_connection=False)
    def key(asked: _Asked) -> _Key:
        """Create a key."""
        return _Key(key="k" * asked.count, note=_LETTERS)

    return found


@contextmanager
def _runtime(folder: Path, url: str | None = None) -> Iterator[Jackfield]:
    with (
        installed(folder / "catalog", _rows()) as catalog,
        Jackfield(catalog=catalog, database_url=url or f"sqlite:///{folder}/x.db") as jackfield,
    ):
        yield jackfield


@pytest.fixture(name="jackfield")
def _jackfield(tmp_path: Path) -> Iterator[Jackfield]:
    with _runtime(tmp_path) as jackfield:
        yield jackfield


def call(count: int = 500, action: str = "list", **more: Any) -> dict[str, Any]:
    """An invocation."""
    return {"connector": "rows", "action": action, "inputs": {"count": count}, **more}


def whole_of(result: Result) -> Any:
    """What is in the file of a truncated Result."""
    assert result.output is not None
    (file,) = result.files
    return json.loads(file.read())


def test_a_large_output_is_described_and_a_file_has_the_whole(jackfield: Jackfield) -> None:
    """Its size and its shape are in its place."""
    result = jackfield.invoke(call(maxBytes=1_000))
    whole = jackfield.invoke(call()).output
    size = len(json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode())
    assert result.status == "succeeded"
    assert result.output is not None
    (file,) = result.files
    about = {"bytes": size, "file": result.output["truncated"]["file"]}
    assert {**result.output["truncated"], "expiresAt": ""} == {
        **about,
        "size": size,
        "contentType": "application/json",
        "name": "output.json",
        "expiresAt": "",
        "shape": {"rows": [{"id": "integer", "name": "string"}, "… 499 more"], "note": "string"},
    }
    assert (file.size, file.name) == (size, "output.json")
    assert result.meta.truncated == about
    assert whole_of(result) == whole
    jsonschema.validate(result.to_json(), _SCHEMA)
    assert Result.from_json(result.to_json()).meta.truncated == about


def test_what_fits_is_whole(jackfield: Jackfield) -> None:
    """To the byte."""
    whole = jackfield.invoke(call(9)).output
    size = len(json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode())
    fits, not_quite = (jackfield.invoke(call(9, maxBytes=most)) for most in (size, size - 1))
    assert (fits.output, fits.meta.truncated) == (whole, None)
    assert not_quite.meta.truncated is not None


def test_a_shape_that_is_too_large_itself_is_left_out(jackfield: Jackfield) -> None:
    """Size and file are always there."""
    result = jackfield.invoke(call(maxBytes=1))
    assert result.output is not None
    assert "shape" not in result.output["truncated"]


def test_what_is_selected_counts(jackfield: Jackfield) -> None:
    """A selection that fits is returned; of one that does not, the file has the whole output, to
    select from again.
    """
    fits = jackfield.invoke(call(maxBytes=1_000, select="rows[:3].id"))
    assert (fits.output, fits.meta.selected, fits.meta.truncated) == (
        {"selected": [0, 1, 2]},
        True,
        None,
    )
    large = jackfield.invoke(call(maxBytes=1_000, select="rows[*].id"))
    assert (large.meta.selected, whole_of(large)) == (False, jackfield.invoke(call()).output)
    broken = jackfield.invoke(call(maxBytes=1_000, select="length(`1`)"))
    assert broken.meta.truncated is not None
    assert [warning["message"][:8] for warning in broken.meta.warnings] == ["'select'"]


def test_a_key_replays_it_anew(jackfield: Jackfield) -> None:
    """The journal has the whole; ``maxBytes`` is no part of what the key stands for."""
    first, again, other = (
        jackfield.invoke(call(9, "put", idempotencyKey="k", **more))
        for more in ({"maxBytes": 50}, {}, {"maxBytes": 60})
    )
    assert (first.meta.replayed, again.meta.replayed, other.meta.replayed) == (False, True, True)
    assert whole_of(first) == whole_of(other) == again.output


def test_a_file_belongs_to_its_caller(jackfield: Jackfield) -> None:
    """As every file does that a call returns."""
    result = asyncio.run(jackfield.ainvoke(call(maxBytes=1_000), caller=Caller("ada")))
    assert result.output is not None
    identifier = result.output["truncated"]["file"]
    assert jackfield.files.find("default", identifier, "ada") is not None
    assert jackfield.files.find("default", identifier, "bob") is None


def test_without_a_database_nothing_is_lost(tmp_path: Path) -> None:
    """What cannot be kept is returned whole, with a warning."""
    with _runtime(tmp_path, "none") as jackfield:
        result = jackfield.invoke(call(maxBytes=1_000))
        assert result.output == jackfield.invoke(call()).output
    assert [warning["message"] for warning in result.meta.warnings] == [
        "'maxBytes' leaves the output whole: there is no database to keep the rest"
    ]


def test_a_store_that_fails_loses_nothing(jackfield: Jackfield, tmp_path: Path) -> None:
    """The action has been carried out: its output is returned whole."""
    with jackfield.storage.database.write() as transaction:
        transaction.execute("DROP TABLE files")
    result = jackfield.invoke(call(maxBytes=1_000))
    assert result.status == "succeeded"
    assert result.output is not None
    assert len(result.output["rows"]) == 500
    assert "'maxBytes' leaves the output whole" in result.meta.warnings[0]["message"]


def test_a_secret_is_stored_nowhere(jackfield: Jackfield) -> None:
    """An output that has one is returned whole, to the caller alone."""
    result = jackfield.invoke(call(action="key", maxBytes=100))
    assert result.output == {"key": "k" * 500, "note": "é"}
    assert (
        result.meta.warnings[-1]["message"]
        == "'maxBytes' leaves the output whole: it has secrets, which are stored nowhere"
    )
    assert jackfield.files.list("default")[0] == []


@pytest.mark.parametrize("value", [0, -1, 1024 * 1024 + 1, 1.5, True, "9", None])
def test_it_is_a_number_of_bytes(jackfield: Jackfield, value: Any) -> None:
    """Anything else is refused at its place."""
    error = jackfield.invoke(call(maxBytes=value)).error
    assert error is not None
    assert (error.code, [detail.path for detail in error.details]) == (
        "invalid_invocation",
        ["/maxBytes"],
    )


def test_what_is_queued_has_none(jackfield: Jackfield) -> None:
    """Nobody waits for its output."""
    with pytest.raises(InvalidInvocation) as fault:
        jackfield.enqueue(call(maxBytes=9, select="rows"))
    assert [detail.path for detail in fault.value.details] == ["/select", "/maxBytes"]


def test_an_expired_file_is_gone(jackfield: Jackfield) -> None:
    """The whole is kept for an hour."""
    result = jackfield.invoke(call(maxBytes=1_000))
    assert result.output is not None
    stored = jackfield.files.find("default", result.output["truncated"]["file"])
    assert stored is not None
    assert 3_590 < stored.expires_at - stored.created_at <= 3_600
    assert jackfield.files.delete("default", stored.id)
    with pytest.raises(NotFound):
        whole_of(result)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=200),
    lambda inner: (
        st.lists(inner, max_size=80) | st.dictionaries(st.text(max_size=120), inner, max_size=80)
    ),
    max_leaves=200,
)


@given(value=_JSON)
def test_a_shape_is_small_whatever_the_value(value: Any) -> None:
    """And has no value of it: names of members alone."""
    assert len(json.dumps(shape(value), ensure_ascii=False)) < 60 * 300
