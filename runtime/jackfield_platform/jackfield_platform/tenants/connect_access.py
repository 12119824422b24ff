"""Access that the owner of an account gives in a connect session: the documents of a role or policy, and their names.

They are for what the platform will call, and named after it: the person reads them in a console that is not ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from jackfield.connections.host_access import generated_fields
from jackfield.connections.provenance import Provenance
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Detail, InvalidConnection, InvalidInput, InvalidInvocation, JackfieldError
from jackfield.kernel.hints import NextStep
from jackfield_platform.tenants.connect_values import is_persons, platforms_values
from jackfield_store.management.policies import PolicyRequest
from jackfield_store.management.visible_connections import table_of

if TYPE_CHECKING:
    from jackfield.connections.connection_types import Kind
    from jackfield_platform.tenants.connect_session import Wanted
    from jackfield_store.management.connections import ManagedConnections

REMOTE = Provenance("remote", own_external_id=True)
"""Values of a session: a person's, with the External ID that the session has generated or the platform has given."""
_NEUTRAL = "access"
"""First part of names where the platform has none that fits."""
_NO_PRINCIPAL = (
    "is required for '{type}': give the ARN of the user or role that the keys in 'defaults' belong to, which the role has to trust"
)
_LONGEST, _LONGEST_FIRST = 64, 24
"""Characters of a role's name (IAM API reference, CreateRole), and of the platform's part of it."""


def role_name(platform: str, connection: str) -> str:
    """Return the name of a role for a connection, of a platform that has a name: letters, digits and hyphens, with a letter first."""
    plain = unicodedata.normalize("NFKD", platform.replace("ß", "ss")).encode("ascii", "ignore").decode()
    first = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:_LONGEST_FIRST].strip("-")
    whole = f"{first if first[:1].isalpha() else _NEUTRAL}-{connection}"
    if len(whole) <= _LONGEST:
        return whole
    mark = sha256(connection.encode()).hexdigest()[:8]
    return f"{whole[: _LONGEST - 9]}-{mark}"


def stack_name(platform: str, connection: str) -> str:
    """Return the name of the CloudFormation stack that makes the role: letters, digits and hyphens (CloudFormation API, CreateStack)."""
    return re.sub(r"[^A-Za-z0-9]+", "-", role_name(platform, connection)).strip("-")


def access_documents(
    connections: ManagedConnections, wanted: Wanted, kind: Kind, type_name: str, connection: str, generated: Mapping[str, str]
) -> dict[str, Any]:
    """Return the documents by which the owner of an account lets a connection in, for what the platform will call. Without such a list,
    they are for what the rules of the workspace allow of the type's connector.

    :raises JackfieldError: if they cannot be made, or the type has none.
    """
    connector = next((one.key for one in kind.manifests if one.key == type_name.partition("/")[0]), None)
    named = bool(wanted.actions or wanted.calls)
    request = PolicyRequest(
        actions=[_of_connector(name, connector) for name in wanted.actions] if named else None,
        connector=None if named else connector,
        principal_arn=wanted.principal or None,
        calls=wanted.calls or None,
        lenient=True,
        whole=False,
    )
    values, role = {**platforms_values(wanted, kind), **generated}, role_name(wanted.theme.get("name", ""), connection)
    return connections.draft_policy(kind.full_name, values, connection, request, REMOTE, role=role)


def _of_connector(name: str, connector: str | None) -> str:
    """Return a name or pattern that names no connector as one of the type's."""
    if connector is None or "/" in name:
        return name
    return f"{connector}/* & {name}" if name == "*" or ":" in name else f"{connector}/{name}"


def guarded(trial: Mapping[str, Any], generated: Iterable[str]) -> dict[str, Any]:
    """Return a connection's test as a failed one unless it has shown that the system asks for a value that we have generated, such as
    ``externalIdRequired`` for ``externalId``. Without that, whoever else names the role to this server would get in."""
    required = {f"{field}Required" for field in generated}
    last: Mapping[str, Any] = trial.get("lastTest") or {}
    open_ = [step["key"] for step in last.get("steps", ()) if step["key"] in required and not step["passed"]]
    if not open_:
        return dict(trial)
    steps = [{**step, "mandatory": True} if step["key"] in open_ else step for step in last["steps"]]
    return {**trial, "status": "failing", "lastTest": {**last, "steps": steps}}


def check_access(connections: ManagedConnections, wanted: Wanted, kinds: Sequence[Kind]) -> None:
    """Check that what the platform will call exists, and that documents can be made for it.

    :raises InvalidInvocation: with the place of each fault.
    """
    if wanted.mode != "connect" or not kinds:
        return
    missing = list[str]()
    faults = list(_unknown(connections, wanted, kinds, missing)) or list(_unmade(connections, wanted, kinds))
    if faults:
        text = "; ".join(f"{fault.path[1:]} {fault.message}" for fault in faults[:3])
        store = table_of(connections.known)
        how = NextStep("offer", pattern=f"{missing[0]} --workspace {store.workspace}") if missing and store is not None else None
        raise InvalidInvocation(f"the connect session is not valid: {text}", details=faults, hint=how)


def _unknown(connections: ManagedConnections, wanted: Wanted, kinds: Sequence[Kind], missing: list[str]) -> Iterator[Detail]:
    """Yield a fault for each action that no offered type serves; ``missing`` gets the connectors that the workspace has not."""
    places = [(f"/actions/{place}", name) for place, name in enumerate(wanted.actions)]
    places += [(f"/calls/{place}/action", call["action"]) for place, call in enumerate(wanted.calls)]
    for path, name in places:
        try:
            lacks = [_lacks(connections, wanted, kind, type_name, name) for kind, type_name in zip(kinds, wanted.types, strict=True)]
        except InvalidInvocation as error:
            yield Detail(path, error.message, "pattern")
            continue
        if None in lacks:
            continue
        connector = next((one for one in lacks if one), "")
        missing += [connector] if "." in connector else []  # others come with a package, not by an offer
        offered = ", ".join(f"'{one}'" for one in wanted.types[:5])
        lacking = "the workspace is not offered the connector" if "." in connector else "there is no connector"
        why = f": {lacking} '{connector[:80]}'" if connector else ""
        yield Detail(path, f"'{name[:80]}' fits no action or trigger that {offered} can call{why}", "enum")


def _lacks(connections: ManagedConnections, wanted: Wanted, kind: Kind, type_name: str, name: str) -> str | None:
    """Return the connector that a name is about and the workspace has not, or nothing; None if the type serves the name."""
    connector = next((one.key for one in kind.manifests if one.key == type_name.partition("/")[0]), None)
    found = connections.unserved(kind.full_name, wanted.connection or "new", [_of_connector(name, connector)])
    return next(iter(found.values()), None)


def _unmade(connections: ManagedConnections, wanted: Wanted, kinds: Sequence[Kind]) -> Iterator[Detail]:
    """Yield what is wrong with the principal, or with the number of actions, for types that ask the owner of an account for a role."""
    asked = bool(wanted.actions or wanted.calls or wanted.principal)
    for kind, type_name in zip(kinds, wanted.types, strict=True):
        if not generated_fields(kind.schema):
            continue
        try:
            made = access_documents(connections, wanted, kind, type_name, wanted.connection or "new", {})
            if "trustPolicy" in made and not wanted.principal:
                yield Detail("/principal", _NO_PRINCIPAL.format(type=type_name), "required")
        except (InvalidInput, InvalidInvocation) as error:
            yield from _own(error, bool(wanted.actions or wanted.calls))
        except InvalidConnection as error:  # such as the keys that assume the role; what the person enters is no fault yet
            faults = (replace(fault, path=f"/defaults/values{fault.path}") for fault in error.details if not is_persons(kind, fault.path))
            yield from faults if asked else ()
        except JackfieldError:
            continue


def _own(error: JackfieldError, named: bool) -> Iterable[Detail]:
    """Return the faults that the platform can mend: whoever lists no actions has not asked for documents of any."""
    for fault in error.details:
        if fault.path == "/principal" or named:
            yield fault if fault.path == "/principal" else Detail("/actions", error.message)
