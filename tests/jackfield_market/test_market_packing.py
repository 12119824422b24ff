"""``jackfield pack``: an author's folder becomes a reproducible wheel, and nothing that its
manifest does not say.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jackfield_market.wheels import read_wheel
from plugboard import ECHO, declare
from shell import Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

_WHEEL = "jackfield_echo-1.0.0-py3-none-any.whl"


@pytest.fixture
def author(shell: Shell) -> Path:
    """An author's folder with the echo connector: ``echo`` in the shell's folder."""
    return _copied(shell.folder / "echo")


def _copied(folder: Path) -> Path:
    shutil.copytree(ECHO, folder, ignore=shutil.ignore_patterns("__pycache__", "test_*"))
    return folder


def _replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_same_bytes_from_another_path_and_day(shell: Shell, author: Path) -> None:
    """Another path, other times, other modes and what Python left behind change no byte of the
    wheel.
    """
    one = shell.run("pack", "echo", "--out", "one")
    assert one.code == 0
    other = _copied(shell.folder / "elsewhere" / "deep" / "copy")
    for path in sorted(other.rglob("*.py")):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o755)
    (other / "jackfield_echo" / "__pycache__").mkdir()
    (other / "jackfield_echo" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"\0")
    two = shell.run("pack", str(other), "--out", str(shell.folder / "two"))
    assert two.code == 0
    assert one.json["sha256"] == two.json["sha256"]
    assert one.json["wheel"] == os.path.join("one", _WHEEL)
    assert Path(two.json["wheel"]).read_bytes() == (shell.folder / "one" / _WHEEL).read_bytes()
    assert sorted(os.listdir(author)) == ["jackfield_echo", "pyproject.toml"]


def test_what_a_wheel_carries(shell: Shell, author: Path) -> None:
    """Manifest, page and SBOM are in the wheel where the answer says; it keeps the rules of every
    reader.
    """
    answer = shell.run("pack", author.name, "--out", "dist").json
    wheel = read_wheel(answer["wheel"])
    assert (wheel.sha256, wheel.size, wheel.manifest.key) == (
        answer["sha256"],
        answer["size"],
        answer["connector"],
    )
    assert wheel.manifest.raw == json.loads(
        (author / "jackfield_echo" / "connector.json").read_text(encoding="utf-8")
    )
    page = wheel.files[answer["documentation"]].decode()
    assert "### `say`: Say" in page
    assert "| `token` | string | yes |" in page
    bom = json.loads(wheel.files[answer["sbom"]])
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert bom["metadata"]["component"]["purl"] == "pkg:pypi/jackfield-echo@1.0.0"
    assert [part["name"] for part in bom["components"]] == ["jackfield"]


def _manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "jackfield_echo" / "connector.json"
        found = json.loads(path.read_text(encoding="utf-8"))
        change(found)
        path.write_text(json.dumps(found), encoding="utf-8")

    return edit


def _text(file: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda folder: _replaced(folder / file, old, new)


REFUSED: dict[str, tuple[str, Callable[[Path], None]]] = {
    "an effect that the code does not have": (
        "actions post effect",
        _manifest(lambda found: found["actions"][1].update(effect="read")),
    ),
    "a title that differs": ("title", _manifest(lambda found: found.update(title="Other"))),
    "an action that the manifest lacks": (
        "actions",
        _manifest(lambda found: found["actions"].pop()),
    ),
    "another version": ("describes echo 1.0.0", _text("pyproject.toml", '"1.0.0"', '"1.0.1"')),
    "no manifest": (
        "connector.json",
        lambda folder: (folder / "jackfield_echo" / "connector.json").unlink(),
    ),
    "no pyproject": ("pyproject.toml", lambda folder: (folder / "pyproject.toml").unlink()),
    "a broken pyproject": ("TOML", _text("pyproject.toml", "[build", "[[build")),
    "another build backend": (
        "hatchling",
        _text("pyproject.toml", "hatchling.build", "setuptools.build_meta"),
    ),
    "a build that fails": (
        "build",
        _text("pyproject.toml", 'packages = ["jackfield_echo"]', "packages = 1"),
    ),
    "a script": (
        "console_scripts",
        _text(
            "pyproject.toml",
            "[project.entry",
            '[project.scripts]\npip = "jackfield_echo:x"\n[project.entry',
        ),
    ),
    "code that cannot be imported": (
        "KeyError: 'boom'",
        _text("jackfield_echo/__init__.py", "__all__", 'raise KeyError("boom")\n__all__'),
    ),
    "code that ends Python": (
        "ended Python",
        _text("jackfield_echo/__init__.py", "__all__", "import os\nos._exit(0)\n__all__"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_packed(shell: Shell, author: Path, case: str) -> None:
    """A folder whose manifest, metadata or code is wrong is refused with the reason, and leaves no
    wheel.
    """
    named, change = REFUSED[case]
    change(author)
    answer = shell.run("pack", "echo", "--out", "dist")
    assert answer.code == 2
    assert answer.json["error"]["code"] == "invalid_invocation"
    assert named in answer.json["error"]["message"]
    assert not (shell.folder / "dist").exists()


_BINDING = """
class Bound:
    def __init__(self, manifest):
        self.manifest = manifest

    def describe(self):
        if self.manifest["title"] == "Broken":
            raise ValueError("no server")
        return {**self.manifest, "license": "MIT"}
"""
"""A kind of binding for connectors that have a licence."""


@pytest.mark.parametrize(
    ("kind", "changed", "refusal"),
    [
        ("rows", {"license": "MIT"}, None),
        ("rows", {}, "license"),
        ("rows", {"title": "Broken"}, "cannot be bound: no server"),
        ("other", {}, "cannot be bound: no installed package binds actions to 'other'"),
    ],
)
def test_a_connector_without_code_is_compared_with_what_its_binding_says(
    shell: Shell, author: Path, kind: str, changed: dict[str, Any], refusal: str | None
) -> None:
    """A package of data alone is packed if its binding describes the manifest; another description
    and an unknown kind are refused.
    """
    for path in (author / "jackfield_echo").rglob("*"):
        if path.name != "connector.json":
            path.unlink()
    _replaced(author / "pyproject.toml", "jackfield_echo:connector", f"jackfield_echo:{kind}")
    _manifest(lambda found: found.update(changed))(author)
    (shell.plugs / "rows_binding.py").write_text(_BINDING, encoding="utf-8")
    declare(shell.plugs, "rows-binding", "jackfield.bindings", {"rows": "rows_binding:Bound"})
    answer = shell.run("pack", "echo", "--out", "dist")
    assert answer.code == (0 if refusal is None else 2)
    assert refusal is None or refusal in answer.json["error"]["message"]


def test_secrets_of_the_environment_are_not_passed_on(shell: Shell, author: Path) -> None:
    """The code of a folder that may be a stranger's sees no credential of the caller's environment,
    whatever its name (finding 9).
    """
    shell.set(
        JACKFIELD_MASTER_KEY="s3cret-1", AWS_SECRET_ACCESS_KEY="s3cret-2", SOME_TOKEN="s3cret-3"
    )
    init = author / "jackfield_echo" / "__init__.py"
    init.write_text(init.read_text() + "\nimport os\nassert 's3cret' not in str(os.environ)\n")
    assert shell.run("pack", "echo", "--out", "dist").code == 0


def test_without_the_extra(shell: Shell, author: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hatchling, the refusal says what to install; a folder that is none is named."""
    assert shell.run("pack", "nothing").code == 2
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "jackfield_market.author_process.find_spec",
        lambda name: None if name == "hatchling" else find(name),
    )
    answer = shell.run("pack", author.name)
    assert (answer.code, answer.json["error"]["hint"]) == (2, "pip install 'jackfield[market]'")


def test_a_packed_wheel_is_signed_and_verified(shell: Shell, author: Path) -> None:
    """The three commands fit: what pack writes, sign attests and verify accepts."""
    wheel = shell.run("pack", author.name, "--out", "dist").json["wheel"]
    assert shell.run("publisher", "new", "acme-labs", "--out", "acme.key").code == 0
    assert shell.run("sign", wheel, "--key", "acme.key").code == 0
    assert shell.run("verify", wheel, "--publisher", "acme.key.pub").json["verified"] is True
