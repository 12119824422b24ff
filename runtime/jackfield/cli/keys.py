"""``jackfield keys``: rotate the master key, which protects everything that is stored encrypted."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext

from jackfield.access import DEFAULT, Audit
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import actor, open_storage
from jackfield.clock import SystemClock
from jackfield.database import MasterKey
from jackfield.database.master_key import KeyFile, new_key_text
from jackfield.errors import InvalidInvocation
from jackfield.local import home

_TEXT = "JACKFIELD_NEW_MASTER_KEY"
_FILE = "JACKFIELD_NEW_MASTER_KEY_FILE"
_LARGEST = 64 * 1024


def _declare_rotate(parser: Parser) -> None:
    parser.add_argument("--data-keys", action="store_true", help="also create new data keys, for what is stored from now on")


def _rotate(arguments: Namespace, output: Output) -> int:
    given = _given()
    file = KeyFile.of(os.environ, home(os.environ))
    with open_storage() as storage:
        vault = storage.vault
        with file.alone() if file is not None else nullcontext():
            vault.verify()
            if file is None:
                new = _of_environment(given, data_keys=arguments.data_keys)
            else:
                text = given or new_key_text()
                new = MasterKey.from_text(text, _TEXT)
                file.put_first(text)  # before anything is wrapped with it: a crash must not lose the key
            count = vault.rotate(new, data_keys=arguments.data_keys)
        made = {"masterKey": new.id, "rewrapped": count, "newDataKeys": arguments.data_keys}
        Audit(storage.database, DEFAULT, SystemClock(), actor()).record("keys.rotated", "master-key", made)
    output.value(made if file is None else {**made, "keyFile": file.path})
    if file is None and given:
        sys.stderr.write(f"jackfield: set JACKFIELD_MASTER_KEY to the value of {_TEXT} in every process\n")
    return 0


def _of_environment(given: str | None, *, data_keys: bool) -> MasterKey:
    """Return the new master key if the keys come from JACKFIELD_MASTER_KEY instead of a key file."""
    if given:
        return MasterKey.from_text(given, _TEXT)
    present = MasterKey.from_text(os.environ["JACKFIELD_MASTER_KEY"], "JACKFIELD_MASTER_KEY")
    if len(present.ids) == 1 and not data_keys:
        raise InvalidInvocation(
            "there is no new master key: JACKFIELD_MASTER_KEY contains only one key, and jackfield cannot change the variable",
            hint=f"Set {_TEXT} to the new key, or set JACKFIELD_MASTER_KEY to the new and old keys, separated by a comma (NEW,OLD). "
            "A key is 32 random bytes in base64: head -c 32 /dev/urandom | base64",
        )
    return present


def _given() -> str | None:
    """Return the text of the new key from the environment; None if there is none."""
    text = os.environ.get(_TEXT)
    named = os.environ.get(_FILE)
    if text or not named:
        return text or None
    try:
        with open(named, "rb") as file:
            return file.read(_LARGEST).decode("ascii")
    except (OSError, UnicodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "it is not base64"
        raise InvalidInvocation(f"the file '{named}', set in {_FILE}, cannot be read: {reason}") from None


VERBS = {
    "rotate": Verb("Wrap all data keys with a new master key, without stopping calls.", _declare_rotate, _rotate),
}
