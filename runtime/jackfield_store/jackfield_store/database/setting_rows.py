"""Settings that all processes on a database share: their names and checks, their storage, and the
processes that differ.

A stored setting is the default of every process. A variable or an option of one process takes
precedence there; each process publishes its own values with its lease, so that others can show the
differences. A value is sealed: write access to the database is not enough to open the network to
tenants.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from ipaddress import ip_network
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jackfield import callers
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.database.epoch import RAISE

if TYPE_CHECKING:
    from jackfield_store.database.ports import VaultKeys
    from jackfield_store.database.statements import Row
    from jackfield_store.database.transaction import Transaction

ALLOW_HOSTS, PUBLIC_URL, TWINS, ROLES, SETTLE, MCP_SERVERS = (
    "allowHosts",
    "publicUrl",
    "twins",
    "roles",
    "settle",
    "mcpServers",
)
POLICY = "policy"
MCP_RULES = ("operator", "workspaces")
"""Persons who may add MCP servers."""
LIVE_PREFIX = "mcp."
"""Prefix of the key of an MCP server's connector, followed by the server's name."""
SETTLE_RULES = ("off", "show", "on")
"""Handling of evidence about a call in doubt, the strictest first."""
TWIN_RULES = ("join", "allow")
"""Handling of a write without a key while an equal one is open."""
_DEFAULT = "default"
"""Workspace of the operator, whose key seals the settings."""
_HOST = re.compile(r"[A-Za-z0-9*?._:\[\]-]{1,253}\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_MOST_HOSTS = 100
_SHOWN = 5
"""Maximum number of processes that a sentence names."""
_ALL = "SELECT name, value, changed_at, seal FROM settings ORDER BY name"
_SET = """
INSERT INTO settings (name, value, changed_at, seal) VALUES (:name, :value, :at, :seal)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at, seal = excluded.seal
"""
_UNSET = "DELETE FROM settings WHERE name = :name"
_JUDGED = f"SELECT 1 AS one FROM settings WHERE name = '{POLICY}'"
_OTHERS = """
SELECT id, host, pid, settings FROM instances WHERE seen_at > {now} - :lease AND settings IS NOT NULL ORDER BY host, pid, id LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class SharedSetting:
    """Setting of a database. ``variable`` replaces it in one process; ``check`` returns a value in
    its stored form, or refuses the value. ``title`` is its name in the console.
    """

    name: str
    variable: str
    title: str
    about: str
    check: Callable[[str], str]
    default: str = ""
    """Value that applies if none is set."""
    inherits: bool = True
    """True if a process without a value of its own uses the stored one."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Stored value of a setting, and the time at which it was set."""

    value: str
    changed_at: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Setting that differs between processes: ``values`` has each value, and the places where it
    applies.
    """

    name: str
    values: Mapping[str, tuple[str, ...]]

    @property
    def warning(self) -> str:
        """Warning about the difference, for operators."""
        parts = [
            f"{_quoted(value)} {_text_of_places(places)}" for value, places in self.values.items()
        ]
        return (
            f"the setting {self.name} differs between processes of this database: "
            f"{'; '.join(parts)}"
        )


def checked_public_url(text: str) -> str:
    """Return the operator's public URL without a slash at its end.

    :raises InvalidInvocation: if it is not the address of a server, with at most a path.
    """
    bare = text.strip().rstrip("/")
    try:
        parts = urlsplit(bare)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname)
        fits = fits and not (parts.query or parts.fragment or parts.username is not None)
    except ValueError:
        fits = False
    if bare and (not fits or not bare.isascii() or not bare.isprintable() or " " in bare):
        raise InvalidInvocation(
            f"the public URL '{text[:200]}' is not the address of a server",
            hint="Write it as https://jackfield.example.com.",
        )
    return bare


def checked_hosts(text: str) -> str:
    """Return internal hosts, separated by single spaces.

    :raises InvalidInvocation: if one is no name, pattern, address or network, or there are too
        many.
    """
    words = list(dict.fromkeys(text.replace(",", " ").split()))
    for word in words:
        if not _is_host(word):
            hint = (
                "Give names (crm.internal, *.corp.example), addresses or networks "
                "(10.0.0.0/8), separated by spaces or commas."
            )
            raise InvalidInvocation(
                f"'{word[:200]}' is no host, pattern, address or network", hint=hint
            )
    if len(words) > _MOST_HOSTS:
        raise InvalidInvocation(
            f"{len(words)} hosts, at most {_MOST_HOSTS}",
            hint="Use patterns (*.corp.example) or networks.",
        )
    return " ".join(words)


def checked_twins(text: str) -> str:
    """Check and return the handling of equal writes without a key.

    :raises InvalidInvocation: if it is neither ``join`` nor ``allow``.
    """
    found = text.strip()
    if found not in ("", *TWIN_RULES):
        hint = (
            "Give 'join' if a write without a key is to join an equal one that is open, or "
            "'allow' (the default)."
        )
        raise InvalidInvocation(f"'{text[:80]}' has no meaning", hint=hint)
    return found


def checked_roles(text: str) -> str:
    """Return the roles of people as JSON. The reader of roles is imported when they are set.

    :raises InvalidInvocation: if they are not valid.
    """
    return callers.checked_grants(text)


def checked_settle(text: str) -> str:
    """Check and return the handling of evidence about doubts.

    :raises InvalidInvocation: if it is neither ``off`` nor ``show`` nor ``on``.
    """
    found = text.strip()
    if found not in ("", *SETTLE_RULES):
        hint = (
            "Give 'off' to look for nothing, 'show' (the default) to look and show what is "
            "found, or 'on' to settle doubts by it."
        )
        raise InvalidInvocation(f"'{text[:80]}' has no meaning", hint=hint)
    return found


def checked_mcp_servers(text: str) -> str:
    """Check and return the persons who may add MCP servers.

    :raises InvalidInvocation: if it is neither ``operator`` nor ``workspaces``.
    """
    found = text.strip()
    if found not in ("", *MCP_RULES):
        hint = (
            "Give 'workspaces' if their own tokens may add MCP servers with a public "
            "address, or 'operator' (the default)."
        )
        raise InvalidInvocation(f"'{text[:80]}' has no meaning", hint=hint)
    return found


def checked_policy(text: str) -> str:
    """Return the digest of a policy service's URL, since the URL may name a place that not
    everybody may know.

    :raises InvalidInvocation: if the text is neither a URL nor such a digest.
    """
    found = text.strip()
    if not found or _DIGEST.match(found):
        return found
    if not found.startswith(("http://", "https://")):
        raise InvalidInvocation(
            f"'{found[:80]}' is no URL",
            hint="Give the value of JACKFIELD_POLICY_URL, whose digest is stored.",
        )
    return f"sha256:{sha256(found.encode('utf-8', 'replace')).hexdigest()}"


def _is_host(word: str) -> bool:
    if "/" not in word:
        return bool(_HOST.match(word))
    try:
        ip_network(word, strict=False)
    except ValueError:
        return False
    return True


SHARED: Mapping[str, SharedSetting] = MappingProxyType(
    {
        one.name: one
        for one in (
            SharedSetting(
                ALLOW_HOSTS,
                "JACKFIELD_ALLOW_HOSTS",
                "Internal hosts",
                "internal hosts that connections and callbacks of tenants may reach",
                checked_hosts,
            ),
            SharedSetting(
                PUBLIC_URL,
                "JACKFIELD_PUBLIC_URL",
                "Public address",
                "address of the server for browsers and providers, in links",
                checked_public_url,
            ),
            SharedSetting(
                TWINS,
                "JACKFIELD_TWINS",
                "Equal writes",
                "whether a write without a key joins an equal one that is open: join or allow",
                checked_twins,
                "allow",
            ),
            SharedSetting(
                ROLES,
                "JACKFIELD_ROLES",
                "Roles of people",
                "roles of people who sign in at the identity provider",
                checked_roles,
            ),
            SharedSetting(
                SETTLE,
                "JACKFIELD_SETTLE",
                "Calls in doubt",
                "what becomes of evidence about calls in doubt: off, show or on",
                checked_settle,
                "show",
            ),
            SharedSetting(
                MCP_SERVERS,
                "JACKFIELD_MCP_SERVERS",
                "MCP servers",
                "who adds MCP servers to a workspace: operator or workspaces",
                checked_mcp_servers,
                "operator",
            ),
            SharedSetting(
                POLICY,
                "JACKFIELD_POLICY_URL",
                "Policy service",
                "digest of the policy service's URL: no process without one begins a call",
                checked_policy,
                inherits=False,
            ),
        )
    }
)
"""Each shared setting by its name."""


def find_setting(name: str) -> SharedSetting:
    """Return a setting.

    :raises InvalidInvocation: if no setting has this name.
    """
    found = SHARED.get(name)
    if found is None:
        raise InvalidInvocation(
            f"there is no setting '{name[:80]}'",
            hint=f"The settings are {', '.join(sorted(SHARED))}.",
        )
    return found


def stored_settings(
    transaction: Transaction, vault: VaultKeys
) -> tuple[dict[str, Stored], list[str]]:
    """Return the stored settings, and the names of settings that do not apply because they were
    changed in the database.
    """
    found, damaged = dict[str, Stored](), list[str]()
    for row in transaction.execute(_ALL, {}):
        if row.name not in SHARED:  # of a newer jackfield
            continue
        if vault.attests(_DEFAULT, _place(row.name, row.value), row.seal):
            found[row.name] = Stored(row.value, row.changed_at)
        else:
            damaged.append(row.name)
    return found, damaged


def store_setting(
    transaction: Transaction, vault: VaultKeys, name: str, value: str, at: float
) -> None:
    """Store a checked value. The epoch moves, so that the next call of each process uses the
    value.
    """
    transaction.change(
        _SET,
        {
            "name": name,
            "value": value,
            "at": at,
            "seal": vault.attest(_DEFAULT, _place(name, value)),
        },
    )
    transaction.change(RAISE, {})


def remove_setting(transaction: Transaction, name: str) -> bool:
    """Remove a stored value; return False if none was stored."""
    done = bool(transaction.change(_UNSET, {"name": name}))
    if done:
        transaction.change(RAISE, {})
    return done


def is_judged(transaction: Transaction) -> bool:
    """Return whether a policy judges the calls of this database. A row that was changed also counts
    as a policy: without a key it cannot be verified.
    """
    return transaction.find(_JUDGED, {}) is not None


def other_processes(transaction: Transaction, now: str, lease: float) -> list[Row]:
    """Return the live processes that publish settings of their own. ``now`` is the dialect's
    expression for the database's clock.
    """
    return list(transaction.execute(_OTHERS.format(now=now), {"lease": lease}))


def differences(
    stored: Mapping[str, Stored],
    own: Mapping[str, str] | None,
    others: Iterable[Row],
    here: str | None = None,
) -> list[Difference]:
    """Return the settings whose values differ between database, this process and others. ``own``
    are this process's own values, None if it has none; ``here`` is its instance. A setting that is
    not stored does not count as a place.
    """
    rows = [
        (f"process {row.pid} on {row.host}", _parse_published(row.settings))
        for row in others
        if row.id != here
    ]
    if own is not None:
        rows.insert(0, ("this process", own))
    found = []
    for name, setting in SHARED.items():
        places = dict[str, list[str]]()
        if name in stored:
            places[stored[name].value] = ["as stored"]
        for place, has in rows:
            value = has.get(name)
            where = (
                f"in {place}" if value is None else f"in {place} ({setting.variable} or an option)"
            )
            default = stored[name].value if name in stored and setting.inherits else setting.default
            places.setdefault(_alike(places, default if value is None else value), []).append(where)
        if len(places) > 1:
            found.append(Difference(name, {value: tuple(where) for value, where in places.items()}))
    return found


def _alike(places: Iterable[str], value: str) -> str:
    """Return the value among ``places`` that has the same words in another order, or else the value
    itself.
    """
    words = sorted(value.split())
    return next((one for one in places if sorted(one.split()) == words), value)


def _parse_published(text: str) -> Mapping[str, str]:
    """Read the published values of a process; the database may hold anything."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return (
        {name: value for name, value in found.items() if isinstance(value, str)}
        if isinstance(found, dict)
        else {}
    )


def _place(name: str, value: str) -> tuple[str, ...]:
    return ("setting", name, value)


def _quoted(value: str) -> str:
    return f"'{value[:200]}'" if value else "none"


def _text_of_places(places: tuple[str, ...]) -> str:
    more = f" and {len(places) - _SHOWN} others" if len(places) > _SHOWN else ""
    return ", ".join(places[:_SHOWN]) + more
