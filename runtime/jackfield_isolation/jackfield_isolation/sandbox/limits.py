"""Rights that a child process gives up before it imports a connector, and the state of each layer
on this machine.
"""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jackfield_isolation.sandbox import kernel, seccomp
from jackfield_isolation.sandbox.thread_limit import threads_to_allow

Layers = dict[str, bool | str]
"""Mapping from a layer's name to True if the layer holds, else to the reason why it does not."""
LAYERS = ("resources", "parent", "privileges", "files", "processes", "network")
_FILES = 256
_CPU_SECONDS = 3600
_SYSTEM = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/usr/share/zoneinfo",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/openssl.cnf",
    "/etc/pki/ca-trust",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/var/lib/ca-certificates",
    "/usr/share/pki/ca-trust-source",
    "/etc/crypto-policies",
    "/usr/share/crypto-policies",
)
"""Readable paths: libraries, time zones, certificate authorities and OpenSSL's settings. Their
parent folders contain private keys.
"""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def reduce_rights(configuration: Mapping[str, Any]) -> Layers:
    """Reduce the rights of this process for good, and return the active layers. Threads that exist
    already are not covered.
    """
    layers: Layers = {"resources": _limit_resources(configuration["memory"])}
    if sys.platform != "linux":
        return layers | dict.fromkeys(LAYERS[1:], "only Linux can take it away")
    layers["parent"] = _held(
        lambda: kernel.end_with_parent(configuration["parent"], signal.SIGKILL)
    )
    layers["privileges"] = _held(kernel.drop_privileges)
    readable = [*_SYSTEM, *standard_library(), *configuration["readable"]]
    layers["files"] = _held(lambda: kernel.restrict_files(readable, _DEVICES))
    layers["processes"] = layers["network"] = _held(seccomp.install)
    if (
        layers["files"] is True
        and layers["processes"] is not True
        and kernel.landlock_version() < kernel.GUARDS_TRUNCATION
    ):
        layers["files"] = (
            "this kernel's Landlock does not forbid emptying files, and the filter of system "
            "calls is missing"
        )
    return layers


def _held(step: Callable[[], object]) -> bool | str:
    try:
        step()
    except (OSError, KeyError) as error:
        return str(error)[:200] or type(error).__name__
    return True


def standard_library() -> Iterable[str]:
    """Return the folders of the standard library."""
    paths = sysconfig.get_paths()
    return {
        paths["stdlib"],
        paths["platstdlib"],
        os.path.join(sys.base_prefix, "lib"),
        os.path.join(sys.base_exec_prefix, "lib"),
    }


def _limit_resources(memory: int) -> bool | str:
    """Limit memory, CPU time, threads and open files; forbid core dumps and the growth of files.
    Return True, or the reason of a failure.
    """
    try:
        import resource
    except ImportError:
        return "this platform has no resource limits"
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _FILES,
        resource.RLIMIT_CPU: _CPU_SECONDS,
    }
    limits[resource.RLIMIT_NPROC] = threads_to_allow()
    if memory:
        limits[resource.RLIMIT_AS] = memory
    refused = []
    for kind, limit in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):  # macOS does not limit the address space
            refused.append(kind)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing to a file fails instead
    return f"the system does not take the limits {refused}" if refused else True
