"""Addresses of a database's hosts, resolved within a time limit: libpq would wait for the system's
resolver without a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from jackfield.kernel.clock import monotonic
from jackfield.kernel.dataclass import dataclass, field
from jackfield.wire.addresses import LOOK_UPS, Asking, literal

_FAMILIAR = 1.0
"""Seconds to wait for the addresses of a name that has been resolved before."""


@dataclass(slots=True)
class HostNames:
    """Addresses of a database's host names. If the resolver is silent, the last known addresses are
    used.
    """

    _known: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _asked: dict[str, Asking] = field(default_factory=dict)
    """Last resolution of each name, which may run longer than its callers wait for a slow
    resolver.
    """

    def addressed(self, options: Mapping[str, str], seconds: float) -> dict[str, str]:
        """Return libpq's options with the addresses of all hosts, each with its name. Hosts without
        an address are left out.

        :raises OSError: if no host has an address, or none was found within ``seconds``
            (``TimeoutError``).
        """
        hosts, ports = options.get("host", "").split(","), options.get("port", "").split(",")
        if (
            options.get("hostaddr")
            or not any(map(_is_name, hosts))
            or len(ports) not in {1, len(hosts)}
        ):
            return dict(options)
        places, fault, until = (
            list[tuple[str, str, str]](),
            OSError("it has no host"),
            monotonic() + seconds,
        )
        asked = {host: LOOK_UPS.ask(host) for host in hosts if _is_name(host)}
        for host, port in zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=True):
            try:
                found = (
                    self._addresses(host, asked[host], until)
                    if host in asked
                    else (host if literal(host) is not None else "",)
                )
            except OSError as error:
                fault = error
            else:
                places += [(host, address, port) for address in found]
        if not places:
            raise fault
        named = dict(
            zip(("host", "hostaddr", "port"), map(",".join, zip(*places, strict=True)), strict=True)
        )
        return (
            {**options, **named}
            if "port" in options
            else {**options, "host": named["host"], "hostaddr": named["hostaddr"]}
        )

    def _addresses(self, name: str, asking: Asking, until: float) -> tuple[str, ...]:
        before, self._asked[name] = self._asked.get(name), asking
        if before is not None:
            with suppress(OSError, UnicodeError):
                self._known[name] = _texts(before, 0.0)
        known, left = self._known.get(name), max(0.0, until - monotonic())
        try:
            self._known[name] = _texts(asking, left if known is None else min(left, _FAMILIAR))
        except TimeoutError:
            if known is None:
                raise TimeoutError(f"the name '{name}' was not resolved in time") from None
        except UnicodeError:
            raise OSError(f"'{name}' is not the name of a host") from None
        return self._known[name]


def _texts(asking: Asking, seconds: float) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(address[0]) for _, address in asking.wait(seconds)))


def _is_name(host: str) -> bool:
    return (
        bool(host)
        and not host.startswith(("/", "@"))
        and host[1:2] != ":"
        and literal(host) is None
    )
