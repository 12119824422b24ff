"""This process on its machine: its account, jackfield's folder, standard output, atomic replacement
of files, processor cores.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress

TYPE_CHECKING = False  # importing typing would double the start-up time of a cold --help
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import NoReturn, TextIO

_STDOUT = 1
CORES = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset[int]()
"""Cores that this process may use by its parent's setting; empty on systems without affinities."""
PIN = "JACKFIELD_PIN"
_PR_SET_DUMPABLE = 4
COMMAND_LINE = "cli"
"""Kind of a machine's accounts in the journal and the audit log: ``cli:ada``."""


def account() -> str | None:
    """Return the name of the account that this process runs as, None if it is unknown; variables
    such as LOGNAME can be forged.
    """
    if sys.platform == "win32":
        return os.environ.get("USERNAME")
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an account without a name, as containers have
        return f"uid-{os.getuid()}"


def sudo_account() -> str:
    """Return the account that ran ``sudo``; empty unless this process runs as root, since others
    can forge SUDO_USER.
    """
    return os.environ.get("SUDO_USER", "") if sys.platform != "win32" and os.getuid() == 0 else ""


def account_key() -> str:
    """Return ``cli:`` and the account that this process runs as."""
    name = account()
    return f"{COMMAND_LINE}:{name}" if name else COMMAND_LINE


def account_keys() -> tuple[str, ...]:
    """Return the account of this process and, for root, the account that ran ``sudo``."""
    sudo = sudo_account()
    return (account_key(), f"{COMMAND_LINE}:{sudo}") if sudo else (account_key(),)


def home(environment: Mapping[str, str]) -> str:
    """Return the folder of jackfield's data: ``JACKFIELD_HOME``, else ``jackfield`` in the
    platform's folder for user data.

    That is XDG_DATA_HOME (XDG Base Directory Specification) on Linux, Application Support on macOS,
    LOCALAPPDATA on Windows.

    :raises InvalidInvocation: if the path is neither absolute nor expands to an absolute path.
    """
    named = environment.get("JACKFIELD_HOME")
    found = (
        os.path.expanduser(named)
        if named
        else os.path.join(_user_data(environment, sys.platform), "jackfield")
    )
    if not os.path.isabs(found):
        _refuse_home(named)
    return os.path.normpath(found)


def _refuse_home(named: str | None) -> NoReturn:
    from jackfield.kernel.errors import InvalidInvocation

    if named:
        reason = f"JACKFIELD_HOME is '{named[:200]}', which is not an absolute path"
        raise InvalidInvocation(
            reason,
            hint=(
                "Write the whole path, such as /var/lib/jackfield: each working directory "
                "would have its own data."
            ),
        )
    raise InvalidInvocation(
        "there is no folder for jackfield's data: this account has no home folder",
        hint="Set JACKFIELD_HOME to a folder that this account may write to.",
    )


def _user_data(environment: Mapping[str, str], platform: str) -> str:
    user = os.path.expanduser("~")
    if platform == "win32":
        return environment.get("LOCALAPPDATA") or os.path.join(user, "AppData", "Local")
    if platform == "darwin":
        return os.path.join(user, "Library", "Application Support")
    named = environment.get("XDG_DATA_HOME", "")
    # the XDG specification requires relative paths to be ignored
    return named if os.path.isabs(named) else os.path.join(user, ".local", "share")


class Claim:
    """Standard output reserved for answers: ``stream`` writes there, while ``sys.stdout`` and
    descriptor 1 are redirected to stderr.

    This keeps the prints of connectors, also at import, and native libraries' writes to descriptor
    1 out of the answers.
    """

    def __init__(self) -> None:
        self._stdout = sys.stdout
        self._saved: int | None = None
        self.stream: TextIO = self._stdout
        try:
            if self._stdout.fileno() == _STDOUT:
                self._stdout.flush()
                self._saved = os.dup(_STDOUT)
                os.dup2(_stderr(), _STDOUT)
                self.stream = open(  # noqa: SIM115 (open until release)
                    self._saved, "w", encoding="utf-8", errors="backslashreplace", closefd=False
                )
        except (OSError, ValueError):  # not a file, such as a test's
            pass
        sys.stdout = sys.stderr

    def release(self) -> None:
        """Restore standard output, for a process that continues."""
        if self._saved is not None:
            # text that is still buffered in the old object goes to stderr, too
            self._stdout.flush()
            os.dup2(self._saved, _STDOUT)
            self.stream.close()
            os.close(self._saved)
            self._saved = None
        sys.stdout = self._stdout
        self.stream = self._stdout


def _stderr() -> int:
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError):  # not a file
        return os.open(os.devnull, os.O_WRONLY)


def silence_stdout(stream: TextIO | None = None) -> None:
    """Discard the output still buffered for stdout, so that Python does not report an error at
    exit.
    """
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, (stream or sys.stdout).fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # stdout is not a file
        return


def replace_file(path: str, *pieces: bytes, mode: int = 0o666, keeps_mode: bool = True) -> None:
    """Write ``pieces`` as the content of a file, durable after a power failure.

    Readers find the old or the new content. In a folder of others, no file or link of theirs is
    written to.

    :param mode: of a new file, before the umask.
    :param keeps_mode: True if an existing file keeps its mode.
    :raises OSError: if the file cannot be written; the old content then stays.
    """
    partial = f"{path}.{os.urandom(8).hex()}.partial"
    try:
        with open(partial, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            if keeps_mode:
                with suppress(FileNotFoundError):
                    os.chmod(partial, os.stat(path).st_mode & 0o777)
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        with suppress(OSError):  # it is gone if it has taken its place
            os.unlink(partial)


@contextmanager
def turn(path: str) -> Iterator[None]:
    """Hold the lock file next to ``path`` while ``path`` is changed, on systems with such locks.
    The lock is released if the process dies.

    :raises OSError: if the folder or the lock file cannot be created.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with open(f"{path}.lock", "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def keep_to_one_core(environment: Mapping[str, str]) -> socket.socket | None:
    """Restrict all threads of this process to one core, unless ``JACKFIELD_PIN=0``.

    Threads of one Python process on several cores mostly contend for the interpreter's lock. A
    server on one core makes the same calls in half the CPU time (docs/reference/cli-serve.md).

    Return the claim on that core: an abstract socket, whose name no other serving process of this
    machine (of this network namespace) can use while it is open. A process that ends, for whatever
    reason, leaves its core to the next process. Servers that cannot see each other's names, in
    containers, start at different cores. Return None if no core is claimed.
    """
    if environment.get(PIN) == "0" or len(CORES) < 2:
        return None
    import random

    cores = sorted(CORES)
    begin = random.getrandbits(32) % len(cores)
    return _claimed(cores[begin:] + cores[:begin])


def _claimed(cores: Sequence[int]) -> socket.socket | None:
    import socket

    for core in cores:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0jackfield-core-{core}")
        except OSError:
            claim.close()
        else:
            _keep_to(core)
            return claim
    _keep_to(cores[0])  # there are more processes than cores
    return None


def _keep_to(core: int) -> None:
    try:
        threads = os.listdir("/proc/self/task")
    except FileNotFoundError:  # no /proc is mounted: the threads of this process cannot be listed
        return
    for thread in threads:
        try:
            os.sched_setaffinity(int(thread), {core})
        except ProcessLookupError:  # it has just ended
            continue


class OnAllCores:
    """Context manager that gives this thread, and processes that it starts in the block, all cores
    of the process again.
    """

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        """Enter the block."""
        self._before = os.sched_getaffinity(0) if CORES else None
        if self._before is not None:
            os.sched_setaffinity(0, CORES)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            os.sched_setaffinity(0, self._before)


def keep_memory_private() -> None:
    """Disable core dumps, and prevent other processes of this user from reading this one's memory
    and environment, where the system can.

    The memory of a server holds the master key and its tenants' secrets. Programs that this process
    starts can be read again.
    """
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, *(ctypes.c_ulong(0) for _ in range(4)))
