"""Hostile wheels of at most 10 kB, each given to ``jackfield verify``: ``python -m
benchmarks.hostile_wheels``.

Prints the size of each, how much CPU time the command takes, and what it says first; fails if one
takes more than ``MOST`` seconds. Arguments choose the wheels whose names contain them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

MOST = 2.0
"""Seconds of CPU time, the start of the command included."""
_LARGEST = 10_000
_CODE = "from jackfield.connector import Connector\n\nconnector = None\n"
_INFO = "jackfield_hostile-1.0.0.dist-info"
_WHEEL = b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def _manifest(inputs: Any = None, actions: int = 1, **more: Any) -> dict[str, Any]:
    about = {
        "title": "A",
        "description": "a",
        "effect": "read",
        "inputs": inputs or {"type": "object"},
        "output": {"type": "object"},
    }
    top = {
        "manifestVersion": 1,
        "key": "hostile",
        "title": "H",
        "description": "h",
        "version": "1.0.0",
        "connectionTypes": [],
    }
    return {**top, "actions": [{"key": f"a{number}", **about} for number in range(actions)], **more}


def _of(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"v": schema}}


def _nested(levels: int, schema: Any) -> Any:
    for _ in range(levels):
        schema = {"items": schema}
    return {**schema, "type": "object"}


def _doubled(levels: int, word: str) -> dict[str, Any]:
    steps = {
        f"d{level}": {word: [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)
    }
    return {**_of({"$ref": "#/$defs/d0"}), "$defs": {**steps, f"d{levels}": {"type": "integer"}}}


def _chain(length: int) -> dict[str, Any]:
    return {
        **{f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}]} for level in range(length)},
        f"d{length}": {"type": "integer"},
    }


def _recursive(names: int) -> dict[str, Any]:
    branches = [{"$ref": f"#/$defs/r{name}"} for name in range(names)]
    return {
        **_of(branches[0]),
        "$defs": {f"r{name}": {"items": {"anyOf": branches}} for name in range(names)},
    }


_LINKED = {"$ref": "#/$defs/d0"}
MANIFESTS: Mapping[str, Callable[[], Any]] = {
    "plain": _manifest,
    "doubled branches": lambda: _manifest(_doubled(13, "oneOf"), 30),
    "doubled conditions": lambda: _manifest(_doubled(12, "allOf"), 30),
    "1,400 branches": lambda: _manifest(
        _of({"anyOf": [{"minimum": low} for low in range(1400)]}), 6
    ),
    "recursive definitions": lambda: _manifest(_recursive(40), 6),
    "chain of definitions": lambda: _manifest(_of(_LINKED), 30, **{"$defs": _chain(1200)}),
    "2,800 actions": lambda: _manifest(None, 2800),
    "2,000 properties": lambda: _manifest(
        {"type": "object", "properties": {f"p{number}": {"minLength": 1} for number in range(2000)}}
    ),
    "300 secrets": lambda: _manifest(
        {
            "type": "object",
            "properties": {
                f"p{number}": {"type": "string", "writeOnly": True, "pattern": "^a"}
                for number in range(300)
            },
        },
        3,
    ),
    "long enumeration": lambda: _manifest(_of({"enum": [*range(3000)]})),
    "enumeration of objects": lambda: _manifest(
        _of({"enum": [{"k": number} for number in range(1200)]}), 12
    ),
    "nested schema": lambda: _manifest(_nested(90, {}), 20),
    "nested too deep": lambda: _manifest(_nested(900, {})),
    "numbers of 4,000 digits": lambda: _manifest(
        _of({"enum": [10**4000 + number for number in range(50)]})
    ),
    "numbers of 300 digits": lambda: _manifest(
        _of({"enum": [10**300 + number for number in range(700)]})
    ),
    "exponents": lambda: _manifest(
        _of({"allOf": [{"minimum": 1e300, "multipleOf": 1e-300}] * 5}), 200
    ),
    "pattern: large": lambda: _manifest(_of({"pattern": "[ab]*a" + "[ab]{900}" * 4 + "c"}), 20),
    "pattern: nested groups": lambda: _manifest(_of({"pattern": "(" * 500 + "a*" + ")*" * 500}), 5),
    "pattern: classes": lambda: _manifest(_of({"pattern": r"(\p{L}{100}|\w{100})" * 100}), 20),
    "pattern: counts": lambda: _manifest(_of({"pattern": "((a{100}){100}){100}"}), 20),
    "pattern: look-around": lambda: _manifest(
        _of({"pattern": "(?=.*a)" * 580, "maxLength": 1000}), 20
    ),
    "pattern: alternatives": lambda: _manifest(
        _of({"pattern": "|".join(f"a{number}" for number in range(700))}), 40
    ),
    "pattern: 300 different": lambda: _manifest(
        _of({"allOf": [{"pattern": f"x{number}" + "[a-z]{50}" * 30} for number in range(300)]})
    ),
    "pattern: back-references": lambda: _manifest(
        _of({"pattern": r"(a*)(b*)\1\2" * 300, "maxLength": 1000}), 20
    ),
    "translations": lambda: _manifest(translations={f"l{number}": {} for number in range(3000)}),
    "long description": lambda: _manifest(description="x" * 200_000),
}
# what a manifest ends with
RAW: Mapping[str, bytes] = {
    "JSON: deep": b'"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "JSON: long number": b'"manifestVersion":' + b"9" * 200_000 + b"}",
    "JSON: the same name": b'"a":1,' * 30_000 + b'"a":1}',
}
FILES: Mapping[str, Mapping[str, bytes]] = {
    "zip: bomb": {"jackfield_hostile/big.txt": bytes(8_000_000)},
    "zip: 25 entries of nothing but zeros": {
        f"jackfield_hostile/{number}": bytes(150_000) for number in range(25)
    },
    "zip: 60 entries": {f"jackfield_hostile/{number}": b"" for number in range(60)},
    "source: nested": {
        "jackfield_hostile/x.py": b"(" * 90 + b")" * 90 + b"\n" + b"-" * 100_000 + b"1"
    },
    "source: long": {"jackfield_hostile/x.py": b"a=1\n" * 1_500_000},
}


def _padded(manifest: Mapping[str, Any]) -> bytes:
    """Write a manifest with noise up to the size of the largest wheel, so that what unpacks to a
    multiple of its size is let in.
    """
    size = len(zlib.compress(json.dumps(manifest, separators=(",", ":")).encode(), 9))
    # 1.35 characters a byte
    noise = base64.b64encode(random.Random(1).randbytes(max(0, _LARGEST - 2800 - size))).decode()
    return json.dumps({**manifest, "noise": noise}, separators=(",", ":")).encode()


def _write(path: Path, manifest: bytes, more: Mapping[str, bytes]) -> None:
    files = {
        "jackfield_hostile/__init__.py": _CODE.encode(),
        "jackfield_hostile/connector.json": manifest,
        f"{_INFO}/METADATA": b"Metadata-Version: 2.1\nName: jackfield-hostile\nVersion: 1.0.0\n",
        f"{_INFO}/WHEEL": _WHEEL,
        f"{_INFO}/entry_points.txt": b"[jackfield.connectors]\nhostile = jackfield_hostile:connector\n",
        **more,
    }
    hashes = {
        name: base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        for name, body in files.items()
    }
    record = "".join(f"{name},sha256={hashes[name]},{len(body)}\n" for name, body in files.items())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, body in {
            **files,
            f"{_INFO}/RECORD": f"{record}{_INFO}/RECORD,,\n".encode(),
        }.items():
            archive.writestr(name, body)


def _attest(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from jackfield_market.attestations import attest
    from jackfield_market.publishers import Publisher, SigningKey

    key = Ed25519PrivateKey.generate()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    release: Any = SimpleNamespace(
        name="jackfield-hostile", version="1.0.0", file=path.name, sha256=digest
    )
    signed = attest(
        release, SigningKey(Publisher("stranger", key.public_key().public_bytes_raw()), key)
    )
    Path(f"{path}.attestation.json").write_text(json.dumps(signed), encoding="utf-8")


def _verified(name: str, manifest: bytes, more: Mapping[str, bytes]) -> bool:
    """Verify one wheel, print what it took, and return whether it kept to the limit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jackfield_hostile-1.0.0-py3-none-any.whl"
        _write(path, manifest, more)
        _attest(path)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = {**os.environ, "JACKFIELD_HOME": f"{folder}/home"}
        done = subprocess.run(
            [sys.executable, "-m", "jackfield", "verify", str(path)],
            env=environment,
            capture_output=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        size = path.stat().st_size
    said = (done.stdout or done.stderr).decode(errors="replace")
    said = said.partition(" is refused: ")[2] if " is refused: " in said else said
    kept = spent <= MOST and size <= _LARGEST and b"Traceback" not in done.stderr
    print(
        f"{name:38} {size:6} {done.returncode:4} {spent:6.2f} {'' if kept else 'FAILS'} "
        f"{said[:70]!r}",
        flush=True,
    )
    return kept


def _main(*wanted: str) -> int:
    wheels: dict[str, tuple[Callable[[], bytes], Mapping[str, bytes]]] = {}
    for name, make in MANIFESTS.items():
        wheels[name] = (lambda make=make: _padded(make())), {}  # type: ignore[misc]
    wheels |= {
        name: ((lambda raw=raw: _padded({})[:-1] + b"," + raw), {})  # type: ignore[misc]
        for name, raw in RAW.items()
    }
    plain = json.dumps(_manifest()).encode()
    wheels |= {name: ((lambda: plain), more) for name, more in FILES.items()}
    print(f"{'wheel':38} {'bytes':>6} {'exit':>4} {'cpu s':>6}  first words")
    kept = True
    for name, (manifest, more) in wheels.items():
        if not wanted or any(part in name for part in wanted):
            kept &= _verified(name, manifest(), more)
    return int(not kept)


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
