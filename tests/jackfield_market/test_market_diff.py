"""``jackfield diff`` and ``pack --previous``: changes between versions of a connector, and the
version step that they demand.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jackfield.manifest.manifest import Manifest
from jackfield_market.manifest_changes import compare
from plugboard import ECHO
from shell import Shell
from wheel_maker import PACKAGE, manifest, put, write_wheel

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

Edit = Callable[[dict[str, Any]], object]


def _full() -> dict[str, Any]:
    """A manifest that has every member."""
    found = manifest()
    found["actions"][0] |= {
        "effect": "idempotent",
        "permissions": {"acme": ["read", "list"]},
        "pagination": {
            "tokenInput": "next",
            "tokenOutput": "Next",
            "items": "Items",
            "maxSize": 10,
        },
        "rateLimit": {"perSecond": 5},
        "repeatOk": ["not_found"],
        "examples": [],
    }
    found["actions"].append({**copy.deepcopy(found["actions"][0]), "key": "other"})
    schema = {
        "type": "object",
        "properties": {"token": {"type": "string"}},
        "additionalProperties": False,
    }
    about = {
        "title": "Token",
        "description": "",
        "auth": "apiKey",
        "setup": "Ask.",
        "family": "acme",
        "waives": ["name"],
    }
    serves = {"actions": ["greet"], "reason": "so"}
    found["connectionTypes"] = [{"key": "token", **about, "schema": schema, "serves": serves}]
    found["optionSources"] = [{"key": "names"}]
    found["aliases"] = {"thand": {"greet": "hello"}, "names": ["a"]}
    return found


def _greet(edit: Edit) -> Edit:
    return lambda found: edit(found["actions"][0])


def _token(edit: Edit) -> Edit:
    return lambda found: edit(found["connectionTypes"][0])


CHANGES: dict[str, tuple[str, str, Edit]] = {
    "another connector": ("breaking", "/key", lambda found: found.update(key="other")),
    "a title": ("textual", "/title", lambda found: found.update(title="B")),
    "a licence": ("textual", "/license", lambda found: found.update(license="MIT")),
    "an action is removed": ("breaking", "/actions/1", lambda found: found["actions"].pop()),
    "an action is added": (
        "additive",
        "/actions/2",
        lambda found: found["actions"].append({**found["actions"][0], "key": "new"}),
    ),
    "an effect gets worse": (
        "breaking",
        "/actions/0/effect",
        _greet(lambda action: action.update(effect="write")),
    ),
    "an effect is left out": (
        "breaking",
        "/actions/0/effect",
        _greet(lambda action: action.pop("effect")),
    ),
    "an effect gets better": (
        "additive",
        "/actions/0/effect",
        _greet(lambda action: action.update(effect="read")),
    ),
    "idempotent by key only": (
        "breaking",
        "/actions/0/idempotentBy",
        _greet(lambda action: action.update(idempotentBy="key")),
    ),
    "a call becomes a job": (
        "breaking",
        "/actions/0/kind",
        _greet(lambda action: action.update(kind="job")),
    ),
    "more permissions": (
        "breaking",
        "/actions/0/permissions/acme",
        _greet(lambda action: action["permissions"]["acme"].append("write")),
    ),
    "fewer permissions": (
        "additive",
        "/actions/0/permissions/acme",
        _greet(lambda action: action["permissions"]["acme"].pop()),
    ),
    "permissions of another system": (
        "breaking",
        "/actions/0/permissions/b",
        _greet(lambda action: action["permissions"].update(b=["x"])),
    ),
    "no pages": (
        "breaking",
        "/actions/0/pagination",
        _greet(lambda action: action.pop("pagination")),
    ),
    "another page token": (
        "breaking",
        "/actions/0/pagination/tokenInput",
        _greet(lambda action: action["pagination"].update(tokenInput="t")),
    ),
    "another page size": (
        "additive",
        "/actions/0/pagination/maxSize",
        _greet(lambda action: action["pagination"].update(maxSize=20)),
    ),
    "another pace": (
        "additive",
        "/actions/0/rateLimit",
        _greet(lambda action: action.update(rateLimit={"perSecond": 1})),
    ),
    "one answer to a repeat fewer": (
        "breaking",
        "/actions/0/repeatOk",
        _greet(lambda action: action.update(repeatOk=[])),
    ),
    "no connection needed": (
        "additive",
        "/actions/0/needsConnection",
        _greet(lambda action: action.update(needsConnection=False)),
    ),
    "an example": (
        "textual",
        "/actions/0/examples",
        _greet(lambda action: action.update(examples=[{}])),
    ),
    "a preview": (
        "additive",
        "/actions/0/preview",
        _greet(lambda action: action.update(preview={"type": "object"})),
    ),
    "an unknown member": (
        "additive",
        "/actions/0/news",
        _greet(lambda action: action.update(news=1)),
    ),
    "a type is removed": (
        "breaking",
        "/connectionTypes/0",
        lambda found: found["connectionTypes"].pop(),
    ),
    "another family": (
        "breaking",
        "/connectionTypes/0/family",
        _token(lambda kind: kind.update(family="b")),
    ),
    "another authentication": (
        "breaking",
        "/connectionTypes/0/auth",
        _token(lambda kind: kind.update(auth="oauth2")),
    ),
    "a text on setup": (
        "textual",
        "/connectionTypes/0/setup",
        _token(lambda kind: kind.update(setup="Beg.")),
    ),
    "a type serves more": (
        "additive",
        "/connectionTypes/0/serves/actions",
        _token(lambda kind: kind["serves"]["actions"].append("other")),
    ),
    "a type serves all": (
        "additive",
        "/connectionTypes/0/serves",
        _token(lambda kind: kind.pop("serves")),
    ),
    "an input is no longer waived": (
        "breaking",
        "/connectionTypes/0/waives",
        _token(lambda kind: kind.pop("waives")),
    ),
    "a value of a type is required": (
        "breaking",
        "/connectionTypes/0/schema/properties/token",
        _token(lambda kind: kind["schema"].update(required=["token"])),
    ),
    "an option source is removed": (
        "breaking",
        "/optionSources/0",
        lambda found: found["optionSources"].pop(),
    ),
    "an option source needs a connection": (
        "breaking",
        "/optionSources/0/needsConnection",
        lambda found: found["optionSources"][0].update(needsConnection=True),
    ),
    "an alias changes": (
        "breaking",
        "/aliases/thand/greet",
        lambda found: found["aliases"]["thand"].update(greet="x"),
    ),
    "an alias is added": (
        "additive",
        "/aliases/names",
        lambda found: found["aliases"]["names"].append("b"),
    ),
    "inputs and output": (
        "breaking",
        "/actions/0/inputs/properties/name/maxLength",
        _greet(lambda action: action["inputs"]["properties"]["name"].update(maxLength=5)),
    ),
}


def test_changes_of_manifests(subtests: pytest.Subtests) -> None:
    """Each change of a manifest is found once, at its place, with its level."""
    for name, (level, path, edit) in CHANGES.items():
        with subtests.test(name=name):
            new = _full()
            edit(new)
            found = compare(Manifest.from_json(_full()), Manifest.from_json(new)).changes
            assert [(change.level, change.path) for change in found] == [(level, path)]


STEPS = [
    # changed, old version, new version, sufficient, required, next
    ("breaking", "1.2.3", "2.0.0", True, "major", "2.0.0"),
    ("breaking", "1.2.3", "1.3.0", False, "major", "2.0.0"),
    ("additive", "1.2.3", "1.3.0", True, "minor", "1.3.0"),
    ("additive", "1.2.3", "1.2.4", False, "minor", "1.3.0"),
    ("textual", "1.2.3", "1.2.4", True, "patch", "1.2.4"),
    ("textual", "1.2.3", "1.2.3", False, "patch", "1.2.4"),
    ("textual", "1.2.3", "1.2.3.post1", True, "patch", "1.2.4"),
    ("none", "1.2.3", "1.2.3", True, "none", "1.2.3"),
    ("none", "1.2.3", "1.2.2", False, "none", "1.2.3"),
    ("additive", "1.2.3", "1.2.2", False, "minor", "1.3.0"),
    ("breaking", "0.2.3", "0.3.0", True, "minor", "0.3.0"),
    ("breaking", "0.2.3", "0.2.4", False, "minor", "0.3.0"),
    ("additive", "0.2.3", "0.2.4", True, "patch", "0.2.4"),
    ("breaking", "2.0.0rc1", "2.0.0", True, "major", "2.0.0"),
    ("breaking", "1.2.3", "2.0.0rc1", True, "major", "2.0.0"),
]

_EDITS: dict[str, Edit] = {
    "breaking": lambda found: found["actions"].pop(),
    "additive": lambda found: found["actions"].append({**found["actions"][0], "key": "new"}),
    "textual": lambda found: found.update(title="B"),
    "none": lambda found: None,
}


def test_the_meta_of_examples_is_no_change() -> None:
    """An example's Result names the version of each release; only what an author wrote counts."""
    old, new = _full(), _full()
    for found, version, title in ((old, "1.0.0", "A greeting"), (new, "2.0.0", "A greeting")):
        result = {"status": "succeeded", "output": {}, "meta": {"connectorVersion": version}}
        found["actions"][0]["examples"] = [
            {
                "title": title,
                "invocation": {"connector": "acme", "action": "greet"},
                "result": result,
            }
        ]
    assert not compare(Manifest.from_json(old), Manifest.from_json(new)).changes
    new["actions"][0]["examples"][0]["title"] = "Another"
    assert [
        change.level for change in compare(Manifest.from_json(old), Manifest.from_json(new)).changes
    ] == ["textual"]


@pytest.mark.parametrize(("changed", "old", "new", "sufficient", "required", "lowest"), STEPS)
def test_steps(
    shell: Shell, changed: str, old: str, new: str, sufficient: bool, required: str, lowest: str
) -> None:
    """The required step follows from the changes, before 1.0.0 one place further right; exit code 1
    if the version does not suffice.
    """
    after = {**_full(), "version": new}
    _EDITS[changed](after)
    shell.write("old.json", json.dumps({**_full(), "version": old}))
    shell.write("new.json", json.dumps(after))
    answer = shell.run("diff", "old.json", "new.json")
    assert answer.code == (0 if sufficient else 1)
    found = answer.json
    assert (found["sufficient"], found["required"], found["next"]) == (sufficient, required, lowest)
    assert (found["old"], found["new"]) == (
        {"connector": "acme", "version": old},
        {"connector": "acme", "version": new},
    )
    assert [change["level"] for change in found["changes"]] == (
        [] if changed == "none" else [changed]
    )


def test_wheels_folders_and_files(shell: Shell) -> None:
    """Each side may be a wheel, an author's folder, a package or a connector.json; what is none of
    them is refused.
    """
    wheel = write_wheel(
        shell.folder, put(f"{PACKAGE}/connector.json", json.dumps(manifest(title="Other")))
    )
    shell.write(f"folder/{PACKAGE}/connector.json", json.dumps(manifest()))
    for old in ("folder", f"folder/{PACKAGE}", f"folder/{PACKAGE}/connector.json"):
        answer = shell.run("diff", old, wheel.name)
        assert [change["path"] for change in answer.json["changes"]] == ["/title"]
    shell.write("broken.json", "[1")
    shell.write(
        "schema.json", json.dumps(manifest()).replace('"maxLength": 20', '"maxLength": "x"')
    )
    shell.write("version.json", json.dumps(manifest(version="one")))
    (shell.folder / "empty").mkdir()
    for new in (
        "nothing.json",
        "nothing.whl",
        "broken.json",
        "schema.json",
        "version.json",
        "empty",
    ):
        answer = shell.run("diff", "folder", new)
        assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_invocation"), new


def test_pack_refuses_a_wrong_step(shell: Shell) -> None:
    """With --previous, the wheel is made only if its version suffices, and for a breaking change
    only if CHANGELOG.md tells callers.
    """
    folder = shell.folder / "echo"
    shutil.copytree(ECHO, folder, ignore=shutil.ignore_patterns("__pycache__", "test_*"))
    now = json.loads((ECHO / "jackfield_echo" / "connector.json").read_text(encoding="utf-8"))
    shell.write("same.json", json.dumps(now))
    assert shell.run("pack", "echo", "--out", "same", "--previous", "same.json").code == 0
    before = {
        **now,
        "version": "0.9.0",
        "actions": [*now["actions"], {**now["actions"][0], "key": "gone"}],
    }
    shell.write("late.json", json.dumps({**before, "version": "1.0.0"}))
    refused = shell.run("pack", "echo", "--out", "out", "--previous", "late.json")
    assert refused.code == 2
    assert "2.0.0" in refused.json["error"]["hint"]
    assert "'gone' is removed" in refused.json["error"]["message"]
    shell.write("before.json", json.dumps(before))
    (folder / "CHANGELOG.md").write_text("# Changes\n\n## 11.0.0\n\n## 1.0.01\n", encoding="utf-8")
    refused = shell.run("pack", "echo", "--out", "out", "--previous", "before.json")
    assert refused.code == 2
    assert "CHANGELOG.md" in refused.json["error"]["message"]
    assert not Path(shell.folder / "out").exists()
    (folder / "CHANGELOG.md").write_text(
        "# Changes\n\n## 1.0.0 (2026-11-21)\n\n`gone` is gone.\n", encoding="utf-8"
    )
    assert shell.run("pack", "echo", "--out", "out", "--previous", "before.json").code == 0
