"""Facts about one isolated connector: the place of its code, and the rights of its process."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import jackfield
from jackfield.kernel.errors import InvalidInvocation
from jackfield_isolation.sandbox.limits import standard_library
from jackfield_isolation.wire import LARGEST_ANSWER

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))
_NAME = re.compile(r"[a-z0-9-]+")
_MIB = 1024 * 1024
MEMORY = 1024 * _MIB
"""Default limit of a child's address space, in bytes."""
PROCESSES = 32
"""Default number of warm processes of all installed connectors."""
THREADS = 64
"""Maximum number of concurrent calls in a child; further calls wait in it."""
_WORDS = {
    "per-workspace": ("per_workspace", True),
    "per-connector": ("per_workspace", False),
    "strict": ("strict", True),
}
_VARIABLE = "JACKFIELD_ISOLATION"
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")
_NEEDED = (
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions",
    "typing_inspection",
    "pluggy",
    "packaging",
)
"""Names of packages that ``jackfield.connector`` needs, and which a connector's own environment may
lack.
"""


@dataclass(frozen=True, slots=True)
class Policy:
    """Policy of the operator.

    ``per_workspace`` gives each workspace processes of its own. ``strict`` refuses to run a
    connector on a machine that lacks one of the layers. ``memory`` limits the address space of a
    process in bytes; 0 means no limit. Beyond ``processes`` processes, the longest idle ones are
    ended.
    """

    per_workspace: bool = True
    strict: bool = False
    memory: int = MEMORY
    processes: int = PROCESSES
    threads: int = THREADS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Policy:
        """Read ``JACKFIELD_ISOLATION``: words separated by commas.

        :raises InvalidInvocation: for an unknown word.
        """
        words = [word.strip() for word in environment.get(_VARIABLE, "").split(",") if word.strip()]
        found: dict[str, Any] = {}
        for word in words:
            name, _, number = word.partition("=")
            if word in _WORDS:
                member, value = _WORDS[word]
                found[member] = value
            elif name == "memory" and number.isdecimal():
                found["memory"] = int(number[:9]) * _MIB
            elif name == "processes" and number.isdecimal():
                found["processes"] = max(1, int(number[:9]))
            else:
                raise InvalidInvocation(
                    f"{_VARIABLE} contains '{word[:80]}', which has no meaning",
                    hint=(
                        "Use the words per-connector, per-workspace, strict, memory=MIB and "
                        "processes=N, separated by commas."
                    ),
                )
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Program:
    """Code of one version of a connector: the object ``attribute`` of ``module``, found on
    ``paths``.
    """

    key: str
    version: str
    module: str
    attribute: str
    paths: tuple[str, ...]
    policy: Policy = field(default_factory=Policy)
    authorities: tuple[tuple[str, str], ...] = ()
    largest_description: int = LARGEST_ANSWER
    """Maximum size of the child's description of the connector, in bytes; it stays in memory."""

    @property
    def name(self) -> str:
        """Name of the connector version in messages and logs."""
        return f"{self.key} {self.version}"

    def configuration(self) -> dict[str, Any]:
        """Return the first frame for the child."""
        paths = [*self.paths, *dict.fromkeys(_homes(self.paths))]
        code = [*paths, *package_folders()]
        return {
            "module": self.module,
            "attribute": self.attribute,
            "paths": paths,
            "parent": os.getpid(),
            "memory": self.policy.memory,
            "threads": self.policy.threads,
            "readable": [
                *code,
                *_compiled(code),
                *_default_authorities(),
                *(path for _, path in self.authorities),
            ],
        }


def package_folders() -> tuple[str, str]:
    """Return the folders of this process's ``jackfield`` and of this package, so that a child runs
    the same code in any environment.
    """
    return os.path.dirname(os.path.abspath(jackfield.__file__)), _OWN_FOLDER


def _compiled(code: Iterable[str]) -> Iterator[str]:
    """Yield the folders with the compiled modules of ``code`` and of the standard library, if they
    are separate folders.
    """
    if sys.pycache_prefix:
        for path in (*code, *standard_library()):
            yield os.path.join(sys.pycache_prefix, os.path.abspath(path).lstrip(os.sep))


def authorities(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the variables that name files and folders of the operator's own certificate
    authorities, which are public.
    """
    return tuple((name, environment[name]) for name in _AUTHORITIES if environment.get(name))


def _default_authorities() -> tuple[str, str]:
    """Return the file and the folder of certificate authorities that this Python's OpenSSL reads by
    default.
    """
    import ssl

    places = ssl.get_default_verify_paths()
    return places.openssl_cafile, places.openssl_capath


def _homes(paths: tuple[str, ...]) -> Iterator[str]:
    """Yield the folders of this process's packages that the child needs and its environment
    lacks.
    """
    for package in (*_NEEDED, *_libraries(paths)):
        if any(
            os.path.exists(os.path.join(path, package))
            or os.path.exists(os.path.join(path, f"{package}.py"))
            for path in paths
        ):
            continue
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            home = os.path.dirname(spec.origin)
            yield os.path.dirname(home) if spec.submodule_search_locations else home


def _libraries(paths: tuple[str, ...]) -> Iterator[str]:
    """Yield the host's libraries that the connector requires, such as ``jackfield_http``."""
    from importlib.metadata import distributions

    for about in distributions(path=[*paths]):
        for need in about.requires or ():
            name = _NAME.match(need)
            if name is not None and name[0].startswith("jackfield-"):
                yield name[0].replace("-", "_")


def clean_environment(program: Program) -> dict[str, str]:
    """Return the environment variables of a child, which gets only the certificate authorities of
    this process.
    """
    return {
        **dict(program.authorities),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PATH": os.defpath,
        "MALLOC_ARENA_MAX": "2",  # each arena would reserve 64 MiB of the address space
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
    }


def command(descriptor: int) -> list[str]:
    """Return the command line of a child; it names nothing secret, since any user of the machine
    can read it.
    """
    # else it would compile them at each start
    compiled = ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    return [
        sys.executable,
        "-I",
        "-S",
        "-B",
        *compiled,
        os.path.join(_OWN_FOLDER, "boot.py"),
        *package_folders(),
        str(descriptor),
    ]
