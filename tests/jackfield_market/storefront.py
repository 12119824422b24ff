"""A publisher's wheels and a catalogue of them, for tests of installations; and small wheels for
dependencies.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from jackfield.connector import describe
from jackfield_market.attestations import SUFFIX, attest
from jackfield_market.catalogue import _changing, build
from jackfield_market.publishers import read_signing_key
from jackfield_market.releases import LIST, Release
from jackfield_market.repository import create
from jackfield_market.role_keys import default_keys
from jackfield_market.site.shelf import Shelved, path_of, render_list, render_releases
from jackfield_market.wheels import read_wheel, record_hash
from shell import Shell
from wheel_maker import archive

CODE = '''
import contextlib, os
if os.path.basename(os.path.dirname(__file__)).startswith("jackfield_"):
    with contextlib.suppress(PermissionError):  # isolated as it should be
        open(os.path.join(os.path.dirname(__file__), "was_run"), "w").close()
from jackfield.connector import Connector, Field, Inputs, Output

connector = Connector("{key}", title="Acme", version="{version}", description="Greets.", license="MIT")

class Name(Inputs):
    """Input."""
    name: str = Field(title="Name")

class Greeting(Output):
    """Output."""
    greeting: str = Field(alias="Greeting")

@connector.action("greet", effect="read", permissions={{"acme": ["acme:Greet"]}})
def greet(name: Name) -> Greeting:
    """Greet somebody."""
    {body}
'''
BODY = 'return Greeting(Greeting=f"Hello {name.name} from {connector.version}")'
Files = dict[str, bytes]


def files_of(
    key: str, version: str, *, needs: Sequence[str] = (), body: str = BODY, **members: Any
) -> Files:
    """The files of a correct wheel of the connector ``key``, without RECORD. ``members`` replace
    those of its manifest.
    """
    package, info = _names(key, version)
    needed = "".join(f"Requires-Dist: {need}\n" for need in ("jackfield<1,>=0.1", *needs))
    source = CODE.format(key=key, version=version, body=body)
    texts = {
        f"{package}/__init__.py": source,
        f"{package}/connector.json": json.dumps({**described(source), **members}),
        f"{info}/METADATA": f"Metadata-Version: 2.4\nName: jackfield-{key}\nVersion: {version}\n{needed}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[jackfield.connectors]\n{key} = {package}:connector\n",
    }
    return {path: text.encode() for path, text in texts.items()}


@cache
def described(source: str) -> dict[str, Any]:
    """The manifest of a module's connector."""
    module = ModuleType("described")
    module.__file__ = "described"
    sys.modules[module.__name__] = module  # pydantic looks annotations up there
    try:
        exec(source, module.__dict__)
        return describe(module.connector)
    finally:
        del sys.modules[module.__name__]


def _names(key: str, version: str) -> tuple[str, str]:
    package = f"jackfield_{key.replace('-', '_')}"
    return package, f"{package}-{version}.dist-info"


def wheel_of(contents: Mapping[str, bytes]) -> bytes:
    """A wheel with these files and their RECORD."""
    info = next(path.partition("/")[0] for path in contents if path.endswith("/METADATA"))
    rows = [f"{path},{record_hash(content)},{len(content)}\n" for path, content in contents.items()]
    return archive({**contents, f"{info}/RECORD": ("".join(rows) + f"{info}/RECORD,,\n").encode()})


def write_dependency(folder: Path, name: str, version: str, source: str) -> Path:
    """Write the wheel of a small package with one module into ``folder``."""
    info = f"{name}-{version}.dist-info"
    texts = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    path.write_bytes(wheel_of({path: text.encode() for path, text in texts.items()}))
    return path


class Storefront:
    """A catalogue in the folder ``site`` of a shell, and publishers with a key file each."""

    def __init__(self, shell: Shell, name: str = "site") -> None:
        self.shell = shell
        self.site = shell.folder / name
        self._dist = 0

    def open(self, at: datetime | None = None) -> Storefront:
        """Create the catalogue, perhaps at an earlier time."""
        if at is None:
            assert self.shell.run("catalogue", "init", str(self.site)).code == 0
        else:
            create(str(self.site), default_keys(str(self.site)), at)
        return self

    @classmethod
    def copied(cls, shell: Shell, folder: Path) -> Storefront:
        """Copy the catalogue of a shell in whose folder one release was added."""
        shutil.copytree(folder, shell.folder, dirs_exist_ok=True)
        store = cls(shell)
        store._dist = 1
        return store

    def sign(self, contents: Mapping[str, bytes], publisher: str = "acme-labs") -> Path:
        """Write a signed wheel into a folder of its own, and return its path."""
        key = self.shell.folder / f"{publisher}.key"
        if not key.exists():
            assert self.shell.run("publisher", "new", publisher, "--out", key.name).code == 0
        self._dist += 1
        info = next(
            path.partition("/")[0] for path in contents if path.endswith("/METADATA")
        ).removesuffix(".dist-info")
        wheel = self.shell.write(
            f"{self.site.name}-dist-{self._dist}/{info}-py3-none-any.whl", wheel_of(contents)
        )
        answer = self.shell.run("sign", str(wheel), "--key", key.name)
        assert answer.code == 0, answer.out
        return wheel

    def add(
        self,
        key: str = "acme",
        version: str = "1.0.0",
        publisher: str = "acme-labs",
        *,
        at: datetime | None = None,
        change: Callable[[Files], None] | None = None,
        names: Sequence[str] = (),
        **about: Any,
    ) -> Path:
        """Publish a release, perhaps at an earlier time; ``change`` edits its files. Return its
        wheel.
        """
        contents = files_of(key, version, **about)
        if change is not None:
            change(contents)
        wheel = self.sign(contents, publisher)
        build(
            str(wheel.parent), str(self.site), default_keys(str(self.site)), allowed=names, now=at
        )
        return wheel

    def copy(self, name: str) -> Path:
        """A copy of the site as it is now."""
        return Path(shutil.copytree(self.site, self.shell.folder / name))

    def restore(self, name: str) -> None:
        """Put an earlier copy in the place of the site."""
        shutil.rmtree(self.site)
        shutil.copytree(self.shell.folder / name, self.site)

    def forge(
        self,
        key: str = "acme",
        /,
        *,
        content: bytes | None = None,
        file: str = "",
        signer: str = "acme-labs",
        raw: bytes | None = None,
        **members: Any,
    ) -> None:
        """Publish as a hostile operator who has every key of the site: any bytes, signed by a
        publisher, and any statements about them.

        ``raw`` is the content of the connector's list, whatever it is.
        """
        with _changing(str(self.site), default_keys(str(self.site)), None) as work:
            data = {**work.shelves[key].releases[-1].data}
            good = read_wheel(str(self.site / "packages" / data["wheel"]))
            if content is not None:
                data |= {
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "size": len(content),
                    "wheel": file or data["wheel"],
                }
                signing = read_signing_key(str(self.shell.folder / f"{signer}.key"))
                statement = attest(
                    replace(good, file=data["wheel"], sha256=data["sha256"]), signing
                )
                (self.site / "packages" / data["wheel"]).write_bytes(content)
                self._put(work, f"packages/{data['wheel']}{SUFFIX}", json.dumps(statement).encode())
            release = Release({**data, **members})
            work._attestations.setdefault(
                release.path, (self.site / f"{release.path}{SUFFIX}").read_bytes()
            )
            shelved = work.shelves[key] = Shelved((release,))
            listed = render_releases(shelved, {}) if raw is None else raw
            self._put(work, path_of(key), listed)
            everything = render_list(work.shelves)
            self._put(work, LIST, everything)
            work.repository.publish(work.edit({key: listed}, everything), work.now)

    def _put(self, work: Any, path: str, content: bytes) -> None:
        (self.site / path).write_bytes(content)
        work._attestations[path.removesuffix(SUFFIX)] = content
