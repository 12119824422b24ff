"""``jackfield keys``: the master keys and key services that protect everything that is stored
encrypted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.local import home
from jackfield_store.access import DEFAULT, Audit
from jackfield_store.commands.stored import actor, open_storage
from jackfield_store.keys import MasterKey
from jackfield_store.keys.key_ring import FILE, SETTING, file_that_wraps, uris
from jackfield_store.keys.key_usage import key_faults, key_usage
from jackfield_store.keys.master_key import new_key_text

if TYPE_CHECKING:
    from jackfield_store.resources.storage import Storage

_TEXT = "JACKFIELD_NEW_MASTER_KEY"
_FILE = "JACKFIELD_NEW_MASTER_KEY_FILE"
_LARGEST = 64 * 1024
_FAILED = 1
_COLUMNS = ("id", "kind", "wraps", "dataKeys", "workspaces", "oldest", "newest")


def _declare_rotate(parser: Parser) -> None:
    parser.add_argument(
        "--data-keys",
        action="store_true",
        help="also create new data keys, for what is stored from now on",
    )


def _declare_list(parser: Parser) -> None:
    parser.add_argument(
        "--check",
        action="store_true",
        help="ask each key service to wrap and unwrap; exit code 1 if one does not",
    )


def _declare_assign(parser: Parser) -> None:
    parser.add_argument("workspace", metavar="WORKSPACE")
    parser.add_argument("uri", metavar="URI", help="aws-kms://ARN or vault-transit://MOUNT/KEY")


def _declare_unassign(parser: Parser) -> None:
    parser.add_argument("workspace", metavar="WORKSPACE")


def _declare_forget(parser: Parser) -> None:
    parser.add_argument(
        "workspace", metavar="WORKSPACE", nargs="?", help="a workspace; without one, all"
    )


def _list(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        rows = key_usage(storage.database, storage.vault)
        faults = key_faults(storage.vault) if arguments.check else {}
    rows = [{**row, **faults.get(row["id"], {})} for row in rows]
    output.rows(rows, (*_COLUMNS, *(("healthy", "message") if arguments.check else ())))
    unhealthy = any(not row.get("healthy", True) or row["kind"] == "missing" for row in rows)
    return _FAILED if arguments.check and unhealthy else 0


def _rotate(arguments: Namespace, output: Output) -> int:
    given = _new_key_from_environment()
    by_service = not uris(os.environ)[0].startswith(FILE)
    if by_service and given:
        raise InvalidInvocation(
            f"{_TEXT} is set, and a key service wraps the data keys: {uris(os.environ)[0]}",
            hint=(
                f"Unset it, or put 'file:' first in {SETTING}. The key service makes the new "
                "versions of its own key."
            ),
        )
    file = file_that_wraps(os.environ, home(os.environ))
    with open_storage() as storage:
        vault = storage.vault
        with file.alone() if file is not None else nullcontext():
            vault.verify()
            new = None
            if file is not None:
                text = given or new_key_text()
                new = MasterKey.from_text(text, _TEXT)
                # before anything is wrapped with it: a crash must not lose the key
                file.put_first(text)
            elif not by_service:
                new = _of_environment(given, data_keys=arguments.data_keys)
            rotated = vault.rotate(new, data_keys=arguments.data_keys)
        made = {
            "masterKey": vault.ring.first.id,
            "rewrapped": rotated.count,
            "newDataKeys": arguments.data_keys,
        }
        left = {"notRewrapped": list(rotated.left)} if rotated.left else {}
        _audit(storage, DEFAULT, "keys.rotated", {**made, **left})
    output.value({**made, **left} if file is None else {**made, **left, "keyFile": file.path})
    if file is None and given:
        sys.stderr.write(
            f"jackfield: set JACKFIELD_MASTER_KEY to the value of {_TEXT} in every process\n"
        )
    return _FAILED if rotated.left else 0


def _assign(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        storage.require(arguments.workspace)
        made = {
            "wrapper": arguments.uri,
            "rewrapped": storage.vault.assign(arguments.workspace, arguments.uri),
        }
        _audit(storage, arguments.workspace, "keys.assigned", made)
    output.value({"workspace": arguments.workspace, **made})
    return 0


def _unassign(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        storage.require(arguments.workspace)
        made = {"rewrapped": storage.vault.unassign(arguments.workspace)}
        _audit(storage, arguments.workspace, "keys.unassigned", made)
    output.value({"workspace": arguments.workspace, "wrapper": None, **made})
    return 0


def _forget(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        if arguments.workspace is not None:
            storage.require(arguments.workspace)
        made = {"dataKeys": storage.vault.forget(arguments.workspace)}
        _audit(
            storage,
            arguments.workspace or DEFAULT,
            "keys.forgotten",
            {**made, "all": arguments.workspace is None},
        )
    output.value({"workspace": arguments.workspace, **made})
    return 0


def _audit(storage: Storage, workspace: str, event: str, details: Mapping[str, Any]) -> None:
    Audit(storage.database, lambda: storage.vault, workspace, SystemClock(), actor()).record(
        event, "master-key", details
    )


def _of_environment(given: str | None, *, data_keys: bool) -> MasterKey:
    """Return the new master key if the keys come from JACKFIELD_MASTER_KEY instead of a key
    file.
    """
    if given:
        return MasterKey.from_text(given, _TEXT)
    present = MasterKey.from_text(os.environ["JACKFIELD_MASTER_KEY"], "JACKFIELD_MASTER_KEY")
    if len(present.ids) == 1 and not data_keys:
        raise InvalidInvocation(
            "there is no new master key: JACKFIELD_MASTER_KEY contains only one key, and "
            "jackfield cannot change the variable",
            hint=f"Set {_TEXT} to the new key, or set JACKFIELD_MASTER_KEY to the new and old "
            "keys, separated by a comma (NEW,OLD). "
            "A key is 32 random bytes in base64: head -c 32 /dev/urandom | base64",
        )
    return present


def _new_key_from_environment() -> str | None:
    """Return the text of the new key from the environment; None if no new key is set."""
    text = os.environ.get(_TEXT)
    named = os.environ.get(_FILE)
    if text or not named:
        return text or None
    try:
        with open(named, "rb") as file:
            return file.read(_LARGEST).decode("ascii")
    except (OSError, UnicodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "it is not base64"
        raise InvalidInvocation(
            f"the file '{named}', set in {_FILE}, cannot be read: {reason}"
        ) from None


VERBS = {
    "list": Verb(
        "List what wraps the data keys: master keys and key services.", _declare_list, _list
    ),
    "rotate": Verb(
        "Wrap all data keys with a new master key or with the first key service, without "
        "stopping calls.",
        _declare_rotate,
        _rotate,
    ),
    "assign": Verb("Give a workspace a key service of its own.", _declare_assign, _assign),
    "unassign": Verb(
        "Wrap a workspace's data keys as those of the others again.", _declare_unassign, _unassign
    ),
    "forget": Verb(
        "Let all processes drop their unwrapped data keys within a minute.",
        _declare_forget,
        _forget,
    ),
}
