"""Addresses of a database's hosts, looked up within a limit: libpq asks the system's resolver, and waits for that as long as it takes."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import Future, wait

from jackfield.kernel.clock import monotonic
from jackfield.kernel.dataclass import dataclass, field

_FAMILIAR = 1.0
"""Seconds to wait for the addresses of a name that has had some before."""


@dataclass(slots=True)
class HostNames:
    """Look-ups of one process, of which each name has one at a time. If the resolver is silent, a name has the addresses that it had last.

    A look-up whose callers have given up goes on, and the next caller joins it: a resolver that is slower than they wait still answers.
    """

    _asking: dict[str, Future[tuple[str, ...]]] = field(default_factory=dict)
    _known: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def addressed(self, options: Mapping[str, str], seconds: float) -> dict[str, str]:
        """Return libpq's options with the addresses of all hosts, each with its name beside it. Hosts without any are left out.

        :raises OSError: if no host has an address, or none was found within ``seconds``; ``TimeoutError`` is the latter.
        """
        hosts, ports = options.get("host", "").split(","), options.get("port", "").split(",")
        if options.get("hostaddr") or not any(map(_is_name, hosts)) or len(ports) not in {1, len(hosts)}:
            return dict(options)
        places, fault, until = list[tuple[str, str, str]](), OSError("it has no host"), monotonic() + seconds
        asked = {host: self._ask(host) for host in hosts if _is_name(host)}
        for host, port in zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=True):
            try:
                found = self._addresses(host, asked[host], until) if host in asked else (host if _is_address(host) else "",)
            except OSError as error:
                fault = error
            else:
                places += [(host, address, port) for address in found]
        if not places:
            raise fault
        named = dict(zip(("host", "hostaddr", "port"), map(",".join, zip(*places, strict=True)), strict=True))
        return {**options, **named} if "port" in options else {**options, "host": named["host"], "hostaddr": named["hostaddr"]}

    def _addresses(self, name: str, asking: Future[tuple[str, ...]], until: float) -> tuple[str, ...]:
        known, left = self._known.get(name), max(0.0, until - monotonic())
        if wait((asking,), left if known is None else min(left, _FAMILIAR)).done:
            return asking.result()
        if known is None:
            raise TimeoutError(f"the name '{name}' was not resolved in time")
        return known

    def _ask(self, name: str) -> Future[tuple[str, ...]]:
        with self._lock:
            asking = self._asking.get(name)
            if asking is None:
                asking = Future()
                threading.Thread(target=self._look_up, args=(name, asking), name="jackfield-resolver", daemon=True).start()
                self._asking[name] = asking
            return asking

    def _look_up(self, name: str, asking: Future[tuple[str, ...]]) -> None:
        found = tuple[str, ...]()
        fault = OSError("the look-up failed")
        try:
            found = _resolved(name)
        except (OSError, UnicodeError) as error:  # the latter for what is no name
            fault = error if isinstance(error, OSError) else OSError(f"'{name}' is not the name of a host")
        finally:
            with self._lock:
                del self._asking[name]
                self._known.update({name: found} if found else {})
            if found:
                asking.set_result(found)
            else:
                asking.set_exception(fault)


def _resolved(name: str) -> tuple[str, ...]:
    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


def _is_name(host: str) -> bool:
    return bool(host) and not host.startswith(("/", "@")) and host[1:2] != ":" and not _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
