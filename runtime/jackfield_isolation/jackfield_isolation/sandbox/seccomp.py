"""Filter of system calls for a child process, as a BPF program: no new process or program, no
network of its own, no other process.

The filter forbids the listed calls; calls with higher numbers fail as unknown. A filter cannot
follow pointers, so a call with some harmful uses is forbidden as a whole.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator

from jackfield_isolation.sandbox.kernel import machine, process_control

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_EQUAL, _AT_LEAST, _ANY_BIT = 0x15, 0x35, 0x45
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_PR_SET_SECCOMP, _FILTER_MODE = 22, 2
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_FIRST_UNKNOWN = 463
"""Number after the newest system call in this list (``mseal``); newer calls have the same numbers
on both architectures.
"""
_CLONE_THREAD = 0x00010000
_MSG_FASTOPEN = 0x20000000
_STREAM, _KIND = 1, 0xF
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_IPPROTO_TCP = 6
_PROCESS_ATTRIBUTES = (1, 4, 0x59616D61)
"""Attributes that ``prctl`` must not change again: parent's death signal, dumpable flag, accepted
tracer.
"""
_READ_ONLY, _NEITHER, _TRUNCATING = 0, 3, 0o1000
"""Access modes and a flag of ``open``. Before version 3, Landlock allows truncating a file opened
in one of these modes; it never guards mode 3, which neither reads nor writes.
"""
_DESCRIPTOR_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 16, 36, 37, 38, 1027, 1030, 1032, 1034)
"""Allowed commands of ``fcntl``: duplicate, flags, locks, and read-only commands. Others direct
signals to a process, watch folders or lease files.
"""
_DEVICE_COMMANDS = (0x5401, 0x5411, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x8905, 0x802C542A)
"""Allowed commands of ``ioctl``: terminal's attributes and size, pending bytes, (non-)blocking,
close on exec, urgent mark.
"""
_ONE_PROCESS = 1
"""Value of ``which`` for one process in ``ioprio_set``; ``setpriority`` counts from 0."""

Instruction = tuple[int, int, int, int]
Numbers = dict[str, tuple[int | None, int | None]]
"""System calls by name, with their numbers on x86_64 and aarch64."""

_FORBIDDEN: Numbers = {
    # processes and programs
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "unshare": (272, 97),
    "setns": (308, 268),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "tkill": (200, 130),
    "pidfd_send_signal": (424, 424),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # users: a limit on threads goes by the real one
    "setuid": (105, 146),
    "setgid": (106, 144),
    "setreuid": (113, 145),
    "setregid": (114, 143),
    "setgroups": (116, 159),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
    "setfsuid": (122, 151),
    "setfsgid": (123, 152),
    # memory that outlives or evades the limits
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mq_open": (240, 180),
    "userfaultfd": (323, 282),
    # System V: an ID, which is a small number to guess, is enough to read, change and remove what
    # another process has made
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmdt": (67, 197),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    # files: Landlock guards neither their metadata nor, before version 3, truncation; a watch needs
    # no right to read
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "utimensat": (280, 88),
    "futimesat": (261, None),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    # the machine
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "personality": (135, 92),
    "syslog": (103, 116),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "vhangup": (153, 58),
}
_NO_NETWORK: Numbers = {
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
}
_ABSENT: Numbers = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "openat2": (437, 437),
}
"""Calls that must seem unknown to the kernel, so that the C library uses its fallbacks."""
_ON_ITSELF: Numbers = {
    "kill": (62, 129),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
}
_CALLER_ONLY: Numbers = {
    "prlimit64": (302, 261),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
}
"""Calls whose first argument is a process; 0 means the caller."""
_SETPRIORITY, _IOPRIO_SET = (141, 140), (251, 30)
_OPEN, _OPENAT, _FCNTL, _IOCTL = (2, None), (257, 56), (72, 25), (16, 29)
_CLONE, _PRCTL = (56, 220), (157, 167)
_SOCKET, _SOCKETPAIR, _SENDTO, _SENDMSG, _SENDMMSG = (
    (41, 198),
    (53, 199),
    (44, 206),
    (46, 211),
    (307, 269),
)


def is_supported() -> bool:
    """Return whether this list has numbers for the processor."""
    return machine() in _ARCHITECTURES


def install() -> None:
    """Install the filter in this thread, and in all threads that it starts later. It cannot be
    removed.

    :raises OSError: if the kernel has no filters, or refuses.
    """
    if not is_supported():
        raise OSError(f"there is no list of system calls for {machine() or 'this platform'}")
    program = b"".join(struct.pack("=HBBI", *one) for one in _program(machine(), os.getpid()))
    code = ctypes.create_string_buffer(program, len(program))
    whole = ctypes.create_string_buffer(
        struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    )
    process_control(_PR_SET_SECCOMP, _FILTER_MODE, ctypes.addressof(whole))


def _program(processor: str, process: int) -> Iterator[Instruction]:
    column = 0 if processor == "x86_64" else 1

    def numbers(calls: Numbers) -> Iterator[int]:
        return (found for both in calls.values() if (found := both[column]) is not None)

    yield (_LOAD, 0, 0, _ARCHITECTURE)
    yield from ((_EQUAL, 1, 0, _ARCHITECTURES[processor]), _return(_KILL))
    yield (_LOAD, 0, 0, _NUMBER)
    if processor == "x86_64":
        yield from ((_AT_LEAST, 0, 1, _X32), _refuse(errno.ENOSYS))
    yield from ((_AT_LEAST, 0, 1, _FIRST_UNKNOWN), _refuse(errno.ENOSYS))
    yield from _case(_OPEN[column], _without_hidden_access(1))
    yield from _case(_OPENAT[column], _without_hidden_access(2))
    yield from _case(_FCNTL[column], _only(1, list(_DESCRIPTOR_COMMANDS), errno.EPERM))
    yield from _case(_IOCTL[column], _only(1, list(_DEVICE_COMMANDS), errno.EPERM))
    for calls, reason in (
        (_FORBIDDEN, errno.EPERM),
        (_NO_NETWORK, errno.EACCES),
        (_ABSENT, errno.ENOSYS),
    ):
        for number in numbers(calls):
            yield from _case(number, [_refuse(reason)])
    for number in numbers(_ON_ITSELF):
        yield from _case(number, _only(0, [process], errno.EPERM))
    for number in numbers(_CALLER_ONLY):
        yield from _case(number, _only(0, [0], errno.EPERM))
    yield from _case(
        _SETPRIORITY[column], [*_require(0, [0], errno.EPERM), *_only(1, [0], errno.EPERM)]
    )
    yield from _case(
        _IOPRIO_SET[column],
        [*_require(0, [_ONE_PROCESS], errno.EPERM), *_only(1, [0], errno.EPERM)],
    )
    yield from _case(
        _CLONE[column],
        [_argument(0), (_ANY_BIT, 0, 1, _CLONE_THREAD), _return(_ALLOW), _refuse(errno.EPERM)],
    )
    kept = [
        step for one in _PROCESS_ATTRIBUTES for step in ((_EQUAL, 0, 1, one), _refuse(errno.EPERM))
    ]
    yield from _case(_PRCTL[column], [_argument(0), *kept, _return(_ALLOW)])
    yield from _case(
        _SOCKET[column],
        [
            *_require(0, [_AF_INET, _AF_INET6]),
            *_require_kind(),
            *_only(2, [0, _IPPROTO_TCP], errno.EACCES),
        ],
    )
    yield from _case(
        _SOCKETPAIR[column], [*_require(0, [_AF_UNIX]), *_require_kind(), _return(_ALLOW)]
    )
    yield from _case(_SENDTO[column], [*_require(4, [0]), *_require_high(4), *_without_flag(3)])
    yield from _case(_SENDMSG[column], _without_flag(2))
    yield from _case(_SENDMMSG[column], _without_flag(3))
    yield _return(_ALLOW)


def _return(value: int) -> Instruction:
    return (_RETURN, 0, 0, value)


def _refuse(reason: int) -> Instruction:
    return _return(_ERRNO | reason)


def _argument(index: int, half: int = 0) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index + 4 * half)


def _case(number: int | None, steps: Iterable[Instruction]) -> list[Instruction]:
    """Return the instructions for one system call; ``steps`` end with a decision."""
    decided = list(steps)
    return [] if number is None else [(_EQUAL, 0, len(decided), number), *decided]


def _require(index: int, values: list[int], reason: int = errno.EACCES) -> list[Instruction]:
    """Return the instructions that refuse a call with ``reason`` unless the argument has one of the
    values.
    """
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [_argument(index), *tests, _refuse(reason)]


def _require_high(index: int) -> list[Instruction]:
    return [_argument(index, 1), (_EQUAL, 1, 0, 0), _refuse(errno.EACCES)]


def _require_kind() -> list[Instruction]:
    return [_argument(1), (_AND, 0, 0, _KIND), (_EQUAL, 1, 0, _STREAM), _refuse(errno.EACCES)]


def _only(index: int, values: list[int], reason: int) -> list[Instruction]:
    return [*_require(index, values, reason), _return(_ALLOW)]


def _without_flag(index: int) -> list[Instruction]:
    return [
        _argument(index),
        (_ANY_BIT, 0, 1, _MSG_FASTOPEN),
        _refuse(errno.EACCES),
        _return(_ALLOW),
    ]


def _without_hidden_access(index: int) -> list[Instruction]:
    """Return the instructions that allow the flags of ``open`` unless they give access that no rule
    of Landlock sees.
    """
    hidden = (_NEITHER, _NEITHER | _TRUNCATING, _READ_ONLY | _TRUNCATING)
    refused = [step for one in hidden for step in ((_EQUAL, 0, 1, one), _refuse(errno.EACCES))]
    return [_argument(index), (_AND, 0, 0, _NEITHER | _TRUNCATING), *refused, _return(_ALLOW)]
