"""Publishers and operators of a catalogue: wheels of several connectors, signed and built into a
site.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shell import Shell
from wheel_maker import FILE, INFO, PACKAGE, archive, files, record


def named(
    key: str,
    version: str = "1.0.0",
    change: Callable[[dict[str, Any]], None] | None = None,
    readme: str = "",
) -> bytes:
    """A wheel like the sample, of another connector and version, whose manifest ``change`` has
    edited.
    """
    package = f"jackfield_{key.replace('-', '_')}"
    info = f"{package}-{version}.dist-info"
    contents: dict[str, bytes] = {}
    for path, content in files().items():
        text = (
            content.decode()
            .replace("jackfield-acme", f"jackfield-{key}")
            .replace(PACKAGE, package)
            .replace("acme =", f"{key} =")
        )
        text = (
            text.replace('"key": "acme"', f'"key": "{key}"').replace("1.0.0", version)
            if not path.endswith("WHEEL")
            else text
        )
        contents[path.replace(PACKAGE, package).replace("1.0.0", version)] = text.encode()
    if change is not None:
        manifest = json.loads(contents[f"{package}/connector.json"])
        change(manifest)
        contents[f"{package}/connector.json"] = json.dumps(manifest).encode()
    if readme:
        contents[f"{info}/METADATA"] += (
            f"Description-Content-Type: text/markdown\n\n{readme}".encode()
        )
    return archive(
        {**contents, f"{info}/RECORD": record(contents).replace(INFO.encode(), info.encode())}
    )


def file_of(key: str, version: str = "1.0.0") -> str:
    """The name of such a wheel."""
    return f"jackfield_{key.replace('-', '_')}-{version}-py3-none-any.whl"


def publish(
    shell: Shell, content: bytes, name: str = FILE, key: str = "acme.key", dist: str = "dist"
) -> Path:
    """Write a wheel into a folder and sign it; the key is made when it is first named."""
    wheel = shell.write(f"{dist}/{name}", content)
    new_key(shell, key)
    assert shell.run("sign", str(wheel), "--key", key).code == 0
    return wheel


def new_key(shell: Shell, key: str, publisher: str = "") -> str:
    """Make a publisher's key unless it exists; its id."""
    if not (shell.folder / key).exists():
        assert (
            shell.run("publisher", "new", publisher or key.removesuffix(".key"), "--out", key).code
            == 0
        )
    return str(json.loads((shell.folder / f"{key}.pub").read_text())["keyId"])


def built(shell: Shell, *words: str, dist: str = "dist") -> Mapping[str, Any]:
    """Build a folder into the site, which must succeed."""
    answer = shell.run("catalogue", "build", dist, "--out", "site", *words)
    assert answer.code == 0, answer.out
    found: Mapping[str, Any] = answer.json
    return found
