"""Secret references in connection values: read when they are needed, told by place when they cannot
be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from jackfield import JackfieldError, Result
from jackfield.connector import Forbidden
from plugboard import declare, plugged, provided
from scripted import Panel, Script, runtime, scripted


def used(script: Script) -> Any:
    """The connection values of the last try."""
    return script.clients[-1].key


def faults(result: Result) -> dict[str, str]:
    """The faults of a connection's values, by place."""
    assert result.error is not None
    assert (result.status, result.error.code) == ("failed", "invalid_connection")
    assert result.error.hint
    return {detail.path: detail.message for detail in result.error.details}


def inline(**values: Any) -> dict[str, Any]:
    """An inline connection."""
    return {"type": "key", "values": values}


def test_the_environment(tmp_path: Path) -> None:
    """``$env`` names a variable of the environment that the runtime was given; it is read at each
    invocation.
    """
    script, environment = Script(), {"TOKEN": "first", "EMPTY": ""}
    with runtime(tmp_path, scripted(script), environment=environment) as board:
        assert board.ask(connection=inline(token={"$env": "TOKEN"})).status == "succeeded"
        assert used(script).token == "first"
        environment["TOKEN"] = "second"
        board.ask(connection=inline(token={"$env": "TOKEN"}))
        assert used(script).token == "second"
        assert faults(board.ask(connection=inline(token={"$env": "EMPTY"}))).keys() == {"/token"}


def stored(folder: Path, values: dict[str, Any]) -> Path:
    """A connection file."""
    path = folder / "connections.json"
    path.write_text(
        json.dumps({"connections": {"front": {"type": "stage/key", "values": values}}}),
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize(
    ("content", "token"),
    [(b"t", "t"), (b"t\n", "t"), (b"t\r\n", "t"), (b"t\n\n", "t\n"), ("é ".encode(), "é ")],
)
def test_files_are_found_from_their_connection_file(
    tmp_path: Path, content: bytes, token: str
) -> None:
    """A relative path starts at the folder of the connection file; one line end at the end is no
    part of the secret.
    """
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "token").write_bytes(content)
    script = Script()
    with runtime(
        tmp_path / "plugs",
        scripted(script),
        sources=[stored(tmp_path, {"token": {"$file": "secrets/token"}})],
    ) as board:
        assert board.ask().status == "succeeded"
    assert used(script).token == token


def test_files_by_absolute_path_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An absolute path and one in the home are found wherever the connection comes from."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "token").write_text("from file", encoding="utf-8")
    script = Script()
    with runtime(tmp_path / "plugs", scripted(script)) as board:
        for path in (str(tmp_path / "token"), "~/token"):
            assert board.ask(connection=inline(token={"$file": path})).status == "succeeded"
            assert used(script).token == "from file"


def test_references_within_objects_and_arrays(tmp_path: Path) -> None:
    """A reference may stand anywhere in the values; what is beside it stays."""
    script = Script()
    values = {
        "token": "t",
        "more": {"a": {"$env": "A"}, "b/c": {"d": {"$env": "A"}, "e": 1}},
        "tokens": ["x", {"$env": "A"}],
    }
    with runtime(tmp_path, scripted(script), environment={"A": "secret A"}) as board:
        assert board.ask(connection=inline(**values)).status == "succeeded"
    assert used(script).more == {"a": "secret A", "b/c": {"d": "secret A", "e": 1}}
    assert used(script).tokens == ("x", "secret A")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ({"$env": "NOT_SET"}, "the environment variable 'NOT_SET' is not set"),
        ({"$env": ""}, "'$env' takes the name of an environment variable"),
        ({"$env": 5}, "'$env' takes the name of an environment variable"),
        ({"$env": {"$file": "x"}}, "'$env' takes the name of an environment variable"),
        ({"$file": "missing"}, "the file 'missing' cannot be read: No such file or directory"),
        ({"$file": "."}, "the file '.' cannot be read: Is a directory"),
        ({"$file": ""}, "'$file' takes the path of a file"),
        ({"$file": ["x"]}, "'$file' takes the path of a file"),
        ({"$file": "a\0b"}, "'$file' takes the path of a file"),
        ({"$file": "large"}, "the file 'large' is larger than 65,536 bytes"),
        ({"$file": "binary"}, "the file 'binary' is not UTF-8 text"),
        ({"$custom": "x"}, "nothing installed resolves the reference '$custom'"),
        ({"$": "x"}, "nothing installed resolves the reference '$'"),
    ],
)
def test_a_reference_that_cannot_be_read(
    tmp_path: Path, reference: dict[str, Any], words: str
) -> None:
    """A reference that cannot be read is told at its place, and nothing is sent."""
    (tmp_path / "large").write_bytes(b"x" * 65_537)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    script = Script()
    with runtime(
        tmp_path / "plugs",
        scripted(script),
        sources=[stored(tmp_path, {"token": reference})],
        environment={},
    ) as board:
        assert faults(board.ask()) == {"/token": words}
        assert (board.ask(dryRun=True).error or Forbidden("x")).code == "invalid_connection"
    assert script.tries == 0


def test_all_references_are_told_at_once(tmp_path: Path) -> None:
    """One refusal names every reference that cannot be read."""
    values = {"token": {"$env": "A"}, "more": {"a/b": {"$env": "B"}}, "tokens": [{"$env": "C"}]}
    with runtime(tmp_path, scripted(Script()), environment={}) as board:
        result = board.ask(connection=inline(**values))
    assert faults(result).keys() == {"/token", "/more/a~1b", "/tokens/0"}
    assert "3 secret references" in (result.error or Forbidden("x")).message


def test_a_reference_beside_a_fault(tmp_path: Path) -> None:
    """What is wrong beside a reference is told before anything is read, also where its name begins
    like the reference's.
    """
    values = {"token": {"$env": "NOT_SET"}, "tokenn": "s3cret", "greeting": 5}
    with runtime(tmp_path, scripted(Script()), environment={}) as board:
        assert faults(board.ask(connection=inline(**values))).keys() == {"/tokenn", "/greeting"}


def test_what_a_reference_holds_is_judged(tmp_path: Path) -> None:
    """The value behind a reference must fit the schema, and the refusal does not quote it."""
    values = {"token": "t", "more": {"$env": "A"}}
    with runtime(tmp_path, scripted(Script()), environment={"A": "s3cret-text"}) as board:
        result = board.ask(connection=inline(**values))
    assert faults(result).keys() == {"/more"}
    assert "s3cret" not in json.dumps(result.to_json())


def test_an_object_with_more_members_is_no_reference(tmp_path: Path) -> None:
    """A reference has one member; another object beside ``$env`` is what it is."""
    script = Script()
    with runtime(tmp_path, scripted(script), environment={}) as board:
        assert (
            board.ask(connection=inline(token="t", more={"a": {"$env": "A", "b": 1}})).status
            == "succeeded"
        )
    assert used(script).more == {"a": {"$env": "A", "b": 1}}


def test_values_of_python_s_own(tmp_path: Path) -> None:
    """Values from code that are no JSON are told, keys that are no strings too; nothing is
    raised.
    """
    values: dict[Any, Any] = {
        "token": "t",
        5: "x",
        "greeting": object(),
        "more": {7: {"$env": "A"}},
    }
    with runtime(
        tmp_path,
        scripted(Script()),
        connections={"front": {"type": "stage/key", "values": values}},
        environment={},
    ) as board:
        assert "/greeting" in faults(board.ask())


class Keeper:
    """A secret store with one answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def read(self, reference: Any, _environment: Mapping[str, str]) -> str:
        """The answer."""
        self.asked.append(reference)
        if isinstance(self.answer, Exception):
            raise self.answer
        found: str = self.answer
        return found


def ask(board: Panel, reference: dict[str, Any]) -> Result:
    """Run with a token behind a reference."""
    return board.ask(connection=inline(token=reference))


def keeping(folder: Path, **keepers: Keeper) -> AbstractContextManager[None]:
    """Install a package that declares secret stores."""
    return provided(
        folder / "keepers",
        "jackfield.secret_stores",
        {kind: keeper.read for kind, keeper in keepers.items()},
    )


def test_packages_resolve_other_kinds(tmp_path: Path) -> None:
    """A package reads references of its kinds, whatever stands behind them."""
    script, custom = Script(), Keeper("one")
    with (
        keeping(tmp_path, custom=custom, other=Keeper("two")),
        runtime(tmp_path, scripted(script)) as board,
    ):
        assert ask(board, {"$custom": {"path": "a", "field": 1}}).status == "succeeded"
        assert used(script).token == "one"
        assert ask(board, {"$other": "b"}).status == "succeeded"
        assert used(script).token == "two"
        assert "nothing installed resolves" in faults(ask(board, {"$third": "c"}))["/token"]
    assert custom.asked == [{"path": "a", "field": 1}]


SAFE = """
from jackfield.connector import Unavailable

def read(reference, environment):
    if reference == "silent":
        raise Unavailable("the safe is silent")
    if reference not in environment:
        raise ValueError("the safe has no such drawer")
    return environment[reference]
"""


@contextmanager
def store(folder: Path, source: str, *distributions: str) -> Iterator[None]:
    """Install packages that declare the secret store ``acmeSafe``."""
    for name in distributions:
        declare(
            folder, name, "jackfield.secret_stores", {"acmeSafe": f"{name.replace('-', '_')}:read"}
        )
        (folder / f"{name.replace('-', '_')}.py").write_text(source, encoding="utf-8")
    with plugged(folder):
        yield


def test_a_package_adds_a_secret_store(tmp_path: Path) -> None:
    """A secret store is an entry point: it gets the reference and the runtime's environment, and
    what it returns is masked.
    """
    script, environment = Script(), {"drawer": "s3cret-of-the-safe"}
    with (
        store(tmp_path / "stores", SAFE, "acme-safe"),
        runtime(tmp_path, scripted(script), environment=environment) as board,
    ):
        assert ask(board, {"$acmeSafe": "drawer"}).status == "succeeded"
        assert used(script).token == "s3cret-of-the-safe"
        assert faults(ask(board, {"$acmeSafe": "other"})) == {
            "/token": "the safe has no such drawer"
        }
        outage = ask(board, {"$acmeSafe": "silent"}).error
    assert outage is not None
    assert (outage.code, outage.message) == (
        "unavailable",
        "a secret store gives no answer now: the safe is silent",
    )


@pytest.mark.parametrize(
    ("source", "names", "words"),
    [
        (
            "raise SystemExit('imported')",
            ["acme-safe", "other-safe"],
            "declared twice, by acme-safe and other-safe",
        ),
        (
            "raise RuntimeError('no door')",
            ["acme-safe"],
            "of the distribution acme-safe cannot be loaded: RuntimeError: no door",
        ),
    ],
)
def test_a_secret_store_that_cannot_be_used_names_its_package(
    tmp_path: Path, source: str, names: list[str], words: str
) -> None:
    """Of two stores of one name either could be an impostor, and none is imported; one that is
    broken says why.
    """
    with (
        store(tmp_path / "stores", source, *names),
        runtime(tmp_path, scripted(Script()), environment={}) as board,
    ):
        assert words in faults(ask(board, {"$acmeSafe": "drawer"}))["/token"]


@pytest.mark.parametrize("answer", ["None", "b's3cret'", "{'secret': 's3cret'}"])
def test_a_store_that_returns_no_text_names_itself(tmp_path: Path, answer: str) -> None:
    """What is not there, bytes and objects are no secret's text: the reference is at fault, and the
    value is not told.
    """
    source = f"def read(reference, environment):\n    return {answer}\n"
    with (
        store(tmp_path / "stores", source, "acme-safe"),
        runtime(tmp_path, scripted(Script()), environment={}) as board,
    ):
        result = ask(board, {"$acmeSafe": "drawer"})
    assert "what resolves '$acmeSafe' returned" in faults(result)["/token"]
    assert "s3cret" not in json.dumps(result.to_json())


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ({"$env": "ABSENT"}, "Set the environment variable for the jackfield process."),
        ({"$file": "absent"}, "Make the file readable by the jackfield process."),
        ({"$acmeSafe": "other"}, "Correct the reference, or create the secret in its store."),
    ],
)
def test_the_hint_of_a_reference_speaks_of_its_kind(
    tmp_path: Path, reference: dict[str, str], hint: str
) -> None:
    """Whoever reads it should not look for an environment variable where a store has no such
    secret.
    """
    with (
        store(tmp_path / "stores", SAFE, "acme-safe"),
        runtime(tmp_path, scripted(Script()), environment={}) as board,
    ):
        error = ask(board, reference).error
    assert error is not None
    assert error.hint == hint


def test_what_a_store_raises_by_mistake_is_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may quote a secret that was never returned, so that nobody can mask it: class and place
    are logged, and no text.
    """
    source = (
        "def read(reference, environment):\n    raise KeyError(f'no s3cret-of-the-safe in "
        "{reference}')\n"
    )
    with (
        store(tmp_path / "stores", source, "acme-safe"),
        runtime(tmp_path, scripted(Script()), environment={}) as board,
    ):
        result = ask(board, {"$acmeSafe": "drawer"})
    assert result.error is not None
    assert result.error.code == "internal"
    assert (
        "RuntimeError: what resolves '$acmeSafe' raised KeyError (at stores/acme_safe.py:2)"
        in caplog.text
    )
    assert "s3cret" not in caplog.text + json.dumps(result.to_json())


def test_resolved_secrets_are_masked(tmp_path: Path) -> None:
    """What a reference gave is a secret like any other: it does not come out again."""
    with (
        keeping(tmp_path, custom=Keeper("store-s3cret")),
        runtime(tmp_path, scripted(Script("told store-s3cret"))) as board,
    ):
        assert ask(board, {"$custom": 1}).output == {"Text": "told ***"}


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (ValueError("the vault is sealed"), "invalid_connection", "the vault is sealed"),
        (Forbidden("the vault says no"), "forbidden", "the vault says no"),
        (RuntimeError("s3cret trouble"), "internal", "an unexpected error"),
        (5, "invalid_connection", "what resolves '$custom' returned int"),
    ],
)
def test_a_store_that_cannot_read(tmp_path: Path, answer: Any, code: str, words: str) -> None:
    """A ValueError tells why at the reference's place, a JackfieldError keeps its code, anything
    else is a bug, told by id.
    """
    script = Script()
    with keeping(tmp_path, custom=Keeper(answer)), runtime(tmp_path, scripted(script)) as board:
        result = ask(board, {"$custom": 1})
    error: JackfieldError | None = result.error
    assert error is not None
    assert (result.status, error.code, script.tries) == ("failed", code, 0)
    assert words in str(error)
    assert "s3cret" not in json.dumps(result.to_json())
