"""Guard of a connection: a call that would send to suppressed recipients is refused before anything
is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.invocation.provider_ids import Places
from jackfield.kernel.errors import Detail, InvalidInput, NotAllowed
from jackfield.kernel.pointers import pointer
from jackfield.schema.formats import split_mailboxes
from jackfield_store.journal.suppressions import Suppressions

if TYPE_CHECKING:
    from jackfield.call.call_records import Checked

_SAID = {
    "bounce": "is suppressed: a message to it bounced",
    "complaint": "is suppressed: a message to it drew a complaint",
}


async def refuse_suppressed(checked: Checked) -> None:
    """Refuse a call whose valid inputs have suppressed recipients, or none although the action
    declares them.

    :raises NotAllowed: with the place of each of these recipients.
    :raises InvalidInput: if the recipients are not in the inputs.
    """
    inputs, places, pipe = checked.inputs, checked.found.plan.recipients, checked.found.pipe
    given = [*recipients_of(inputs, places)]
    if places and not given:
        fault = Detail(
            pointer(places[0][0]),
            "give the recipients here: the connection's guard compares them with those suppressed",
        )
        raise InvalidInput("1 input is not valid", details=[fault], hint="Nothing was sent.")
    storage: Any = pipe.dependencies.files.storage
    known = Suppressions(storage.database, storage.vault, pipe.workspace, pipe.dependencies.clock)
    found = await checked.asked.how.waiter.call(partial(known.among, {name for _, name in given}))
    faults = [
        Detail(path, _SAID[reason])
        for path, reason in {path: found[name] for path, name in given if name in found}.items()
    ]
    if faults:
        hint = "Nothing was sent. Send to the others only, or remove the suppression."
        count = "1 recipient is" if len(faults) == 1 else f"{len(faults):,} recipients are"
        raise NotAllowed(f"not allowed: {count} suppressed", details=faults, hint=hint)


def recipients_of(inputs: Mapping[str, Any], places: Places) -> Iterator[tuple[str, str]]:
    """Yield each recipient with the place of the text that names it."""
    for name, *rest in places:
        value = inputs.get(name)
        if not rest:
            yield from _display_names(value, pointer(name))
            continue
        for place, item in enumerate(value if isinstance(value, list | tuple) else ()):
            if isinstance(item, Mapping):
                yield from _display_names(item.get(rest[0]), pointer(name, place, rest[0]))


def _display_names(value: Any, path: str) -> Iterator[tuple[str, str]]:
    texts = enumerate(value) if isinstance(value, list | tuple) else [("", value)]
    for place, text in texts:
        for name, _ in split_mailboxes(text) if isinstance(text, str) else ():
            if name:
                yield f"{path}/{place}".removesuffix("/"), name
