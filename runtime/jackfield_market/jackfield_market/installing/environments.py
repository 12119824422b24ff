"""Environment of one connector version: its unpacked wheel, and the dependencies that the host
lacks.

None of its code runs while it is built: the wheel is written file by file from its verified
content, and dependencies are wheels, too, which uv unpacks.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from html import escape
from importlib.metadata import PackageNotFoundError, distribution, distributions, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from uv import find_uv_bin

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.local import OnAllCores
from jackfield.wire.outbound import proxy_variables
from jackfield_market.dependency_rules import Dependency, check_dependencies
from jackfield_market.installing.policy import Policy
from jackfield_market.refusals import NotInstalled
from jackfield_market.wheels import Wheel

SITE = "site-packages"
"""Folder of the connector's own package."""
DEPENDENCIES = "dependencies"
"""Folder of dependencies that the host lacks."""
SECONDS = 600
"""Maximum duration of a run of uv, in seconds."""
_LAST_LINES = 6
_WITH_PYTHON = (
    "Install jackfield with pip or uv, or take its container image, where this connector is needed."
)
_HOST = frozenset({"jackfield", "jackfield-aws", "jackfield-http"})
"""Distributions that always come from the host."""
_PASSED_ON = frozenset(
    {
        "PATH",
        "HOME",
        "TMPDIR",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "UV_CACHE_DIR",
        "SYSTEMROOT",
        "LOCALAPPDATA",
    }
)
_LINE = re.compile(r"(?m)^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?P<rest>[^#\n]*)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def check_host(wheel: Wheel) -> None:
    """Check that this Python can run the wheel.

    :raises NotInstalled: if it requires another Python, platform or jackfield.
    """
    python = ".".join(map(str, sys.version_info[:3]))
    needed = wheel.metadata.requires_python
    if needed is not None and not needed.contains(python, prereleases=True):
        raise NotInstalled(
            "python",
            f"'{wheel.file}' requires Python {needed}, this is {python}",
            "Use another Python or version.",
        )
    if _is_single_file() and _is_compiled(wheel):
        message = (
            f"'{wheel.file}' contains compiled modules, and jackfield's single file runs "
            "pure Python connectors only"
        )
        raise NotInstalled("compiled", message, _WITH_PYTHON)
    if parse_wheel_filename(wheel.file)[3].isdisjoint(sys_tags()):
        raise NotInstalled(
            "platform",
            f"'{wheel.file}' is not made for this Python and platform",
            "Ask its publisher for another wheel.",
        )
    for need in _needed(wheel):
        if need.name in _HOST and not _satisfied(need):
            have = _host_version(need.name) or "not installed"
            raise NotInstalled(
                "host",
                f"'{wheel.file}' requires {need}; the host's is {have}",
                "Upgrade the host, or choose a version.",
            )


def _is_single_file() -> bool:
    """Return whether this process is jackfield's single file, which PyInstaller has built of
    interpreter and packages.
    """
    return hasattr(sys, "_MEIPASS")


def _is_compiled(wheel: Wheel) -> bool:
    is_for_one_platform = any(tag.platform != "any" for tag in parse_wheel_filename(wheel.file)[3])
    return is_for_one_platform or any(
        path.endswith((".so", ".pyd", ".dylib")) or ".so." in path for path in wheel.files
    )


def unpack(wheel: Wheel, folder: str) -> None:
    """Write the files of a verified wheel into ``folder``/site-packages."""
    root = os.path.join(folder, SITE)
    for path, content in wheel.files.items():
        target = os.path.join(root, *path.split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "xb") as file:
            file.write(content)


def add_dependencies(
    wheel: Wheel, folder: str, policy: Policy, locked: Sequence[Dependency] | None = None
) -> list[Dependency]:
    """Install and return the dependencies that the host lacks, in ``folder``/dependencies: exactly
    ``locked`` if given, else uv's resolution.

    :raises NotInstalled: if a dependency cannot be resolved from the places that the policy allows,
        or would replace a package of the host.
    """
    missing = [need for need in _needed(wheel) if not _satisfied(need)]
    if locked is None and not missing:
        return []
    for need in missing if locked is not None else ():
        if not any(
            one.name == need.name and need.specifier.contains(one.version, prereleases=True)
            for one in locked or ()
        ):
            message = (
                f"'{wheel.file}' requires {need}, which neither this environment nor the "
                "lock file has"
            )
            raise NotInstalled(
                "lock",
                message,
                "Install it beside jackfield, or write the lock file anew in an environment like "
                "this one.",
            )
    if _is_single_file():
        lacking = ", ".join(
            [str(need) for need in missing]
            or [f"{one.name}=={one.version}" for one in locked or ()]
        )
        if not lacking:
            return []
        message = (
            f"'{wheel.file}' requires {lacking}, which jackfield's single file does not "
            "have, and it installs no dependencies"
        )
        raise NotInstalled("dependencies", message, _WITH_PYTHON)
    found = _resolved(wheel, missing, policy) if locked is None else list(locked)
    if found:
        target = os.path.join(folder, DEPENDENCIES)
        _install(wheel, found, target, policy)
        check_dependencies(wheel, found, target, _host_versions())
        _check_needed(wheel, found, target)
    return found


def _check_needed(wheel: Wheel, found: Sequence[Dependency], target: str) -> None:
    """Check that the wheel, or another dependency, requires each dependency; a lock file could name
    any distribution.
    """
    behind = {
        canonicalize_name(about.name): about.requires or []
        for about in distributions(path=[target])
    }
    waiting, seen = [canonicalize_name(need.name) for need in _needed(wheel)], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            # uv has read them
            waiting += [canonicalize_name(Requirement(text).name) for text in behind.get(name, ())]
    excess = next((dependency.name for dependency in found if dependency.name not in seen), None)
    if excess is not None:
        raise NotInstalled(
            "lock",
            f"nothing requires '{excess}', which the lock file lists for '{wheel.file}'",
            "Write it anew.",
        )


def _needed(wheel: Wheel) -> Iterator[Requirement]:
    for need in wheel.metadata.requires_dist or ():
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            need.name = canonicalize_name(need.name)
            yield need


def _satisfied(need: Requirement) -> bool:
    version = _host_version(need.name)
    if version is None or not need.specifier.contains(version, prereleases=True):
        return False
    behind = (
        [Requirement(text) for text in distribution(need.name).requires or ()]
        if need.extras
        else []
    )
    return all(
        _satisfied(more)
        for more in behind
        if more.marker is not None
        and not more.marker.evaluate({"extra": ""})
        and any(more.marker.evaluate({"extra": e}) for e in need.extras)
    )


def _host_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _resolved(wheel: Wheel, missing: Iterable[Requirement], policy: Policy) -> list[Dependency]:
    needs = [str(need) for need in missing]
    if policy.index is None and not policy.find_links:
        message = (
            f"'{wheel.file}' requires {', '.join(needs)}, which this environment does not have"
        )
        hint = (
            "Install it beside jackfield, or let the policy name where wheels may come from: "
            "'findLinks' or 'index'."
        )
        raise NotInstalled("dependencies", message, hint)
    with tempfile.TemporaryDirectory(prefix="jackfield-") as scratch:
        wanted, pins = os.path.join(scratch, "wanted.txt"), os.path.join(scratch, "host.txt")
        _write_lines(wanted, needs)
        _write_lines(pins, _host_pins())
        words = [
            "pip",
            "compile",
            wanted,
            "-c",
            pins,
            "--generate-hashes",
            "--no-header",
            "--no-annotate",
            "--only-binary",
            ":all:",
        ]
        out = _uv([*words, "--python", sys.executable, *_places(policy, scratch)], scratch, wheel)
    found = [
        Dependency(
            str(canonicalize_name(line["name"])),
            line["version"],
            tuple(_HASH.findall(line["rest"])),
        )
        for line in _LINE.finditer(out.replace("\\\n", " "))
    ]
    _check_foreign(wheel, found)
    return found


def _check_foreign(wheel: Wheel, found: Iterable[Dependency]) -> None:
    for dependency in found:
        if dependency.name in _HOST or dependency.name.startswith("jackfield-"):
            message = (
                f"'{wheel.file}' would bring its own '{dependency.name}', which belongs to the host"
            )
            raise NotInstalled("dependencies", message, "Report it to its publisher.")


def _install(wheel: Wheel, found: Sequence[Dependency], target: str, policy: Policy) -> None:
    _check_foreign(wheel, found)
    with tempfile.TemporaryDirectory(prefix="jackfield-") as scratch:
        wanted = os.path.join(scratch, "wanted.txt")
        _write_lines(wanted, [dependency.line for dependency in found])
        words = [
            "pip",
            "install",
            "--require-hashes",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--link-mode",
            "copy",
            "-r",
            wanted,
        ]
        _uv(
            [*words, "--target", target, "--python", sys.executable, *_places(policy, scratch)],
            scratch,
            wheel,
        )


def _host_pins() -> list[str]:
    """Return version pins of jackfield's own requirements, which a connector's dependencies must
    not replace.
    """
    return [f"{name}=={version}" for name, version in _host_versions().items() if name not in _HOST]


def _host_versions() -> dict[str, str]:
    """Return the versions of jackfield and its requirements, by name."""
    found: dict[str, str] = {}
    waiting = ["jackfield"]
    while waiting:
        name = waiting.pop()
        try:
            about = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = about.version
        for need in map(Requirement, about.requires or ()):
            wanted = canonicalize_name(need.name)
            if wanted not in found and (need.marker is None or need.marker.evaluate({"extra": ""})):
                waiting.append(wanted)
    return found


def _places(policy: Policy, scratch: str) -> list[str]:
    """Return uv's arguments for the places of the policy.

    A package with a wheel in ``find_links`` comes only from there. Otherwise anyone could replace a
    private package by a higher version in a public index.
    """
    if policy.index is None:
        return [
            "--no-index",
            *(
                word
                for folder in policy.find_links
                for word in ("--find-links", os.path.abspath(folder))
            ),
        ]
    first = _index_of(policy.find_links, os.path.join(scratch, "simple"))
    return ["--index", first, "--default-index", policy.index, "--index-strategy", "first-index"]


def _index_of(folders: Iterable[str], target: str) -> str:
    """Write a package index (PEP 503) of the wheels in ``folders`` into ``target``; return its
    URL.
    """
    os.mkdir(target)
    for file in (
        file for folder in folders for file in sorted(Path(folder).absolute().glob("*.whl"))
    ):
        with suppress(InvalidWheelFilename):  # uv passes over such a file, too
            home = os.path.join(target, parse_wheel_filename(file.name)[0])
            os.makedirs(home, exist_ok=True)
            with open(os.path.join(home, "index.html"), "a", encoding="utf-8") as page:
                page.write(f'<a href="{escape(file.as_uri())}">{escape(file.name)}</a><br>\n')
    return Path(target).as_uri()


def _uv(words: Sequence[str], folder: str, wheel: Wheel) -> str:
    """Run uv without the user's settings, and return its output."""
    passed = {
        name: os.environ[name] for name in _PASSED_ON if name in os.environ
    } | proxy_variables(os.environ)
    command = [_uv_path(), *words, "--no-config", "--no-progress", "--color", "never"]
    try:
        with OnAllCores():
            done = subprocess.run(
                command, cwd=folder, env=passed, capture_output=True, timeout=SECONDS, check=False
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InvalidInvocation(
            f"uv cannot be run, or takes longer than {SECONDS} seconds: {error}"
        ) from None
    if done.returncode:
        said = " ".join(
            " ".join(
                done.stderr.decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
            ).split()
        )
        hint = (
            "Add the wheels to the places that the policy names ('findLinks', 'index'), or "
            "install them beside jackfield."
        )
        raise NotInstalled(
            "dependencies",
            f"the dependencies of '{wheel.file}' cannot be installed: {said[:600]}",
            hint,
        )
    return done.stdout.decode(errors="replace")


def _uv_path() -> str:
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    if find_spec("uv") is not None:
        return str(find_uv_bin())
    found = beside if os.path.exists(beside) else shutil.which("uv")
    if found is None:
        raise InvalidInvocation(
            "dependencies need the extra 'market': uv is not installed",
            hint="pip install 'jackfield[market]'",
        )
    return found


def _write_lines(path: str, lines: Iterable[str]) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
