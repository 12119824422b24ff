"""Build ``dist/jackfield-linux-x86_64``: one file that needs Linux and its C library, and no
Python.

``python .ci/single_file.py`` installs what is shipped, pinned by ``constraints-hashed.txt``, into a
folder, lets PyInstaller add an interpreter and the shared libraries behind all of it
(``deploy/single-file/jackfield.spec``), and packs the outcome behind a program that unpacks it once
(``deploy/single-file/launcher.c``). It needs a C compiler, binutils, zlib's static form and CPython
with a shared library.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from audit import HASHED, PROJECTS, ROOT, shipped
from PyInstaller.depend.bindepend import get_python_library_path
from PyInstaller.exceptions import PythonLibraryNotFoundError

OUT = ROOT / "dist" / "jackfield-linux-x86_64"
_SOURCES = ROOT / "deploy" / "single-file"
_BIN = Path(sys.executable).parent
_LIBRARY = Path("lib") / f"python{sysconfig.get_python_version()}"
_UNUSED = (
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "ensurepip",
    "site-packages",
    "dist-packages",
    "__pycache__",
)
"""Folders of the standard library that no command needs."""
_BLOCK = re.compile(r"(?m)^(?P<name>[A-Za-z0-9._-]+)==[^\n]*(?:\n +[^\n]*)*\n")
_LEVEL = 6


def main() -> int:
    """Build the file, and say how large it is."""
    parser = argparse.ArgumentParser(prog="single_file")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    lacking = _lacking()
    if lacking:
        print(f"single-file: this machine lacks {', '.join(lacking)}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="jackfield-single-") as scratch:
        stage = Path(scratch) / "stage"
        _install(stage / _LIBRARY / "site-packages", Path(scratch))
        _add_standard_library(stage / _LIBRARY)
        _compile(stage)
        bundle = _bundle(stage, Path(scratch))
        launcher = _launcher(bundle / "python3")
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        _pack(bundle, launcher, asked.out)
    print(f"{asked.out.name}: {asked.out.stat().st_size / 1e6:.0f} MB")
    return 0


def _lacking() -> list[str]:
    """Return what a build needs and this machine has not, in words."""
    programs = {"cc": "a C compiler (gcc)", "objdump": "binutils", "strip": "binutils"}
    found = {words for name, words in programs.items() if shutil.which(name) is None}
    for library, words in {
        "libc.a": "the C library's static form (libc6-dev)",
        "libz.a": "zlib's static form (zlib1g-dev)",
    }.items():
        if shutil.which("cc") and not os.path.isabs(
            subprocess.run(
                ["cc", f"-print-file-name={library}"], capture_output=True, text=True, check=False
            ).stdout
        ):
            found.add(words)
    if not _has_shared_library():
        found.add(
            "a CPython with its shared library (configured with --enable-shared; Debian's "
            "libpython3.11)"
        )
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        found.add("Linux on x86-64")
    return sorted(found)


def _has_shared_library() -> bool:
    try:
        return get_python_library_path() is not None
    except PythonLibraryNotFoundError:
        return False


def _run(words: Sequence[str | Path], **environment: str) -> None:
    done = subprocess.run(
        [*map(str, words)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(
            f"single-file: {' '.join(map(str, words[:4]))} … ended with "
            f"{done.returncode}\n{done.stdout[-4000:]}"
        )


def _install(target: Path, scratch: Path) -> None:
    """Install what our distributions need, by hash, and then ours."""
    blocks = {
        match["name"]: match[0] for match in _BLOCK.finditer(HASHED.read_text(encoding="utf-8"))
    }
    ours = {name for name in _needed() if name == "jackfield" or name.startswith("jackfield-")}
    theirs = scratch / "theirs.txt"
    theirs.write_text("".join(blocks[name] for name in sorted(_needed() - ours)), encoding="utf-8")
    into: list[str | Path] = [
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        target,
        "--python",
        sys.executable,
    ]
    _run([_BIN / "uv", *into, "--only-binary", ":all:", "--require-hashes", "-r", theirs])
    _run([_BIN / "uv", *into, "--no-build-isolation", *PROJECTS])
    shutil.rmtree(target / "bin", ignore_errors=True)


def _needed() -> set[str]:
    return {*shipped([*("jackfield" if one == ROOT else _name(one) for one in PROJECTS)])}


def _name(project: Path) -> str:
    return f"jackfield-{project.name}" if project.parent.name == "connectors" else project.name


def _add_standard_library(target: Path) -> None:
    def unused(_: str, names: Sequence[str]) -> set[str]:
        return {
            name
            for name in names
            if name in _UNUSED
            or name.startswith(
                ("config-", "_tkinter.", "_test", "_xxtest", "xxlimited", "_ctypes_test")
            )
        }

    shutil.copytree(sysconfig.get_paths()["stdlib"], target, ignore=unused, dirs_exist_ok=True)


def _compile(stage: Path) -> None:
    """Compile all modules: they never change, so that no source is looked at when one is imported.
    Some are templates.
    """
    words = [
        sys.executable,
        "-m",
        "compileall",
        "-q",
        "-j",
        str(os.cpu_count() or 1),
        "--invalidation-mode",
        "unchecked-hash",
    ]
    beside = {name: value for name, value in os.environ.items() if name != "PYTHONPYCACHEPREFIX"}
    subprocess.run(
        [*words, "-s", str(stage), "-p", "jackfield", str(stage)],
        env=beside,
        check=False,
        capture_output=True,
    )


def _bundle(stage: Path, scratch: Path) -> Path:
    """Let PyInstaller make a folder with the program, and move the standard library and the
    packages there; return it.
    """
    words: list[str | Path] = [
        "--noconfirm",
        "--log-level",
        "WARN",
        "--distpath",
        scratch / "dist",
        "--workpath",
        scratch / "work",
        _SOURCES / "jackfield.spec",
    ]
    _run([sys.executable, "-m", "PyInstaller", *words], JACKFIELD_STAGE=str(stage))
    folder = scratch / "dist" / "jackfield"
    target = folder / "_internal" / "lib"
    (stage / "lib").rename(target)
    # isolated connectors may read what is below 'lib'; the interpreter is there already
    for path in target.parent.glob("*.so*"):
        if not path.name.startswith("libpython"):
            path.rename(target / path.name)
    # what a wheel brings was changed after it was linked, which strip does not understand
    libraries = [
        path
        for path in folder.rglob("*.so*")
        if path.is_file() and not path.parent.name.endswith(".libs")
    ]
    _run(["strip", "--strip-debug", *map(str, libraries)])
    return folder


def _launcher(program: Path) -> bytes:
    """Compile the launcher, which is the program's ``python3`` where no archive follows it; return
    it.
    """
    _run(
        [
            "cc",
            "-O2",
            "-Wall",
            "-Wno-format-truncation",
            "-static",
            "-s",
            "-o",
            program,
            _SOURCES / "launcher.c",
            "-lz",
        ]
    )
    return program.read_bytes()


def _pack(folder: Path, launcher: bytes, out: Path) -> None:
    """Write the launcher, the compressed archive and the trailer that says where it is."""
    digest, packer = hashlib.sha256(launcher), zlib.compressobj(_LEVEL)
    length = 0
    with open(out, "wb") as file:
        file.write(launcher)
        for piece in _archive(folder):
            digest.update(piece)
            length += file.write(packer.compress(piece))
        length += file.write(packer.flush())
        numbers = b"".join(number.to_bytes(8, "little") for number in (len(launcher), length, 0))
        file.write(b"JACKFLD1" + digest.hexdigest()[:32].encode() + numbers)
    out.chmod(0o755)


def _archive(folder: Path) -> Iterator[bytes]:
    """Yield a tar archive of a folder, which is the same for the same files."""
    for path in sorted(folder.rglob("*")):
        about = tarfile.TarInfo(str(path.relative_to(folder)))
        about.mode = 0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644
        content = b""
        if path.is_symlink():
            about.type, about.linkname = tarfile.SYMTYPE, os.readlink(path)
        elif path.is_dir():
            about.type = tarfile.DIRTYPE
        else:
            content = path.read_bytes()
            about.size = len(content)
        yield about.tobuf(tarfile.USTAR_FORMAT)
        yield content + bytes(-len(content) % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


if __name__ == "__main__":
    sys.exit(main())
