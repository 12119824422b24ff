"""The outbound route: the proxy for a URL, by a connection's own value, the operator's setting, or
the environment.

``JACKFIELD_OUTBOUND_PROXY`` is ``environment``, ``none`` or the URL of a proxy. Without it, each
path has its default: some use the environment's proxy, and the others none. All of them share one
grammar of ``NO_PROXY``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote, urlsplit

from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import Detail, InvalidConnection, InvalidInvocation
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.head import Proxy, Route, Target

VARIABLE, RESOLVE = "JACKFIELD_OUTBOUND_PROXY", "JACKFIELD_RESOLVE_AT_PROXY"
ENVIRONMENT, NONE = "environment", "none"
_PORTS = {"http": 80, "https": 443}
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
_VARIABLES = (
    VARIABLE,
    RESOLVE,
    *(
        spelled
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
        for spelled in (name, name.upper())
    ),
)
_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*):(?P<port>[0-9]{1,5})")
_USABLE = "Set it to a URL such as http://proxy.example.com:3128"


@dataclass(frozen=True, slots=True)
class _Exception:
    """Entry of ``NO_PROXY``: a name with its subdomains, an address or network, or everything;
    ``port`` limits it to one port.
    """

    name: str
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    def covers(self, host: str, address: IPv4Address | IPv6Address | None, port: int) -> bool:
        """Return whether the entry covers a host, in lower case, and its port."""
        if self.port not in (None, port):
            return False
        if self.network is not None:
            return address is not None and address in self.network
        if self.name.startswith("*."):
            return host.endswith(self.name[1:])
        return self.name in ("*", host) or (address is None and host.endswith(f".{self.name}"))


class Outbound(SecretHolder):
    """Route by proxy URLs for the schemes of servers, with exceptions: loopback, and the entries of
    ``NO_PROXY``. Each proxy has the name of its setting, for messages.
    """

    def __init__(
        self, proxies: Mapping[str, tuple[str, str]], exceptions: str, *, resolves: bool
    ) -> None:
        self._proxies, self._resolves = proxies, resolves
        self._exceptions = [
            found
            for word in exceptions.replace(",", " ").split()
            if (found := _exception(word)) is not None
        ]
        self._known: dict[str, Proxy] = {}
        self.is_used = bool(proxies)
        """True if a proxy is used for the requests to any server."""

    def __call__(self, target: Target) -> Proxy | None:
        """Return the proxy for a server; None if the connection is direct.

        :raises InvalidConnection: if the URL of the proxy cannot be used.
        """
        named = self.named(target)
        if named is None:
            return None
        found = self._known.get(target.scheme)
        if found is None:
            found = self._known[target.scheme] = _proxy(*named, resolves=self._resolves)
        return found

    def named(self, target: Target) -> tuple[str, str] | None:
        """Return the setting that names the proxy for a server, and its value; None if the
        connection is direct.
        """
        named = self._proxies.get(target.scheme)
        return (
            None
            if named is None
            or self._is_excepted(target.host.strip("[]").rstrip(".").lower(), target.port)
            else named
        )

    def _is_excepted(self, host: str, port: int) -> bool:
        address = _address(host)
        if (
            host == "localhost"
            or host.endswith(".localhost")
            or (address is not None and address.is_loopback)
        ):
            return True
        return any(one.covers(host, address, port) for one in self._exceptions)


def way_out(
    environment: Mapping[str, str], own: Proxy | None = None, *, usual: str = NONE
) -> Route | None:
    """Return the route for outgoing requests of this process; None if no proxy is used.

    The proxy of a connection's ``own`` value takes precedence over the operator's setting. Without
    either, ``usual`` is the path's default: ``environment`` or ``none``.
    """
    if own is not None:
        return replace(own, resolves=resolves_at_proxy(environment))
    found = outbound(environment, usual)
    return found if found.is_used else None


def outbound(environment: Mapping[str, str], usual: str = NONE) -> Outbound:
    """Return the route by the operator's setting, else by the default ``usual``."""
    chosen = environment.get(VARIABLE) or usual
    proxies = (
        {}
        if chosen == NONE
        else _proxies_of(environment)
        if chosen == ENVIRONMENT
        else dict.fromkeys(_PORTS, (VARIABLE, chosen))
    )
    return Outbound(
        proxies, _variable(environment, "no_proxy")[1], resolves=resolves_at_proxy(environment)
    )


def variables() -> tuple[str, ...]:
    """Return the names of all variables that decide about proxies."""
    return _VARIABLES


def proxy_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make another program use the same proxies as this program."""
    chosen = environment.get(VARIABLE) or ENVIRONMENT
    given = {
        name: environment[name]
        for name in _VARIABLES
        if name.lower().endswith("_proxy") and name in environment and name != VARIABLE
    }
    if chosen == ENVIRONMENT:
        return given
    kept = {name: value for name, value in given.items() if name.lower() == "no_proxy"}
    return kept if chosen == NONE else {**kept, "HTTPS_PROXY": chosen, "HTTP_PROXY": chosen}


def resolves_at_proxy(environment: Mapping[str, str]) -> bool:
    """Return whether a proxy may resolve names that have no address on this machine."""
    return environment.get(RESOLVE, "").lower() in _YES


def check_outbound(environment: Mapping[str, str]) -> None:
    """Check the operator's setting.

    :raises InvalidInvocation: if it is not valid.
    """
    chosen, resolves = environment.get(VARIABLE, NONE), environment.get(RESOLVE, "")
    if resolves.lower() not in (*_YES, *_NO):
        raise InvalidInvocation(
            f"{RESOLVE} must be 1 or 0",
            hint="With 1, names that have no address here are left to the proxy.",
        )
    if chosen in (ENVIRONMENT, NONE):
        return
    try:
        _proxy(VARIABLE, chosen, resolves=False)
    except InvalidConnection as error:
        raise InvalidInvocation(
            error.message, hint=f"{_USABLE}, to '{ENVIRONMENT}' or to '{NONE}'."
        ) from None


def ignored_proxy(environment: Mapping[str, str]) -> str | None:
    """Return a sentence about a proxy of the environment that some paths do not use; None if there
    is no such proxy, or the operator's setting decides.
    """
    named = sorted({name for name, _ in _proxies_of(environment).values()})
    if environment.get(VARIABLE) or not named:
        return None
    use = f"do not use the proxy of {' and '.join(named)}"
    return (
        f"HTTP connectors, callbacks, sign-in, the policy service and Vault {use}: set "
        f"{VARIABLE} to '{ENVIRONMENT}' if they should"
    )


def _proxies_of(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the environment's proxy for each scheme, with the variable that names it."""
    found = {}
    for scheme in _PORTS:
        named = next(
            (
                one
                for name in (f"{scheme}_proxy", "all_proxy")
                if (one := _variable(environment, name))[1]
            ),
            None,
        )
        if named is not None:
            found[scheme] = named
    return found


def _variable(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return a variable and its value: in lower case, which wins also if it is empty, or in upper
    case.
    """
    for spelled in (name, name.upper()):
        if spelled in environment:
            return spelled, environment[spelled].strip()
    return "", ""


def _proxy(named: str, text: str, *, resolves: bool) -> Proxy:
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme.startswith("socks"):
        raise _unusable(named, "is a SOCKS proxy, which is not spoken: only HTTP proxies are")
    if scheme == "https":
        raise _unusable(
            named,
            "is spoken to over TLS: only proxies at http:// are; what passes them by TLS stays "
            "encrypted all the same",
        )
    try:
        parts = urlsplit(text if scheme else f"http://{text}")
        target = Target("http", parts.hostname or "", parts.port or _PORTS["http"])
    except ValueError:
        raise _unusable(named, "is not a URL") from None
    if parts.scheme != "http" or not target.host:
        raise _unusable(named, "is not a URL")
    if parts.path not in ("", "/"):
        raise _unusable(
            named,
            "has a path, as a file of rules (PAC) has, which is not read: name the proxy itself",
        )
    login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return Proxy(target, login, resolves=resolves)


def _unusable(named: str, reason: str) -> InvalidConnection:
    message = f"the proxy that {named} names {reason}"
    return InvalidConnection(
        message, details=[Detail("", message)], hint=f"{_USABLE}, or unset it."
    )


def _exception(word: str) -> _Exception | None:
    """Parse an entry of ``NO_PROXY``; return None for a meaningless entry."""
    text, port = word.lower(), None
    network = _network(text)
    if network is None and (split := _PORT.fullmatch(text)) is not None:
        text, port = split["host"], int(split["port"])
        network = _network(text)
    name = text.lstrip(".").rstrip(".")
    return _Exception(name, network, port) if name else None


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(
            text[1:-1] if text.startswith("[") and text.endswith("]") else text, strict=False
        )
    except ValueError:
        return None


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
