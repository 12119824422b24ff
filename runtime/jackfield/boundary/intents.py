"""Names of intents: for each call of a program's function the key, and the request by which a
repeat is recognised.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter, signature
from typing import Any

from jackfield.kernel.errors import Detail, InvalidInput
from jackfield.kernel.functions import Arguments, choosing
from jackfield.manifest.reading import HOST
from jackfield.schema.python_objects import encoded, is_encoded_as

_LONGEST = 180
"""Maximum characters of a key. The name of its function must fit next to it."""
_OWN = ("self", "cls")

Named = tuple[str, Any, Callable[[], Any] | None]
"""Key and request of a call, and the function that returns the request as earlier versions recorded
it, with arguments that have their default. None: it is the same.
"""


class Naming:
    """Key and request of each call of a function, by the author's ``key`` and ``about``. A function
    whose ``self`` is in neither is warned of: it is part of the request then.
    """

    def __init__(self, name: str, function: Callable[..., Any], key: Any, about: Any) -> None:
        self.name, self.signature = name, signature(function)
        self._key, names = choosing(key, self.signature.parameters)
        self._about = None if about is None else choosing(about, self.signature.parameters)[0]
        first = next(iter(self.signature.parameters), "")
        self._self = first if first in _OWN and first in names else ""
        if about is None and first in _OWN and not self._self:
            warnings.warn(
                f"'{name}': '{first}' is no part of what must be equal when the key is: take it in "
                "'key', or say with 'about' what must be equal. A later version refuses it.",
                FutureWarning,
                stacklevel=4,
            )

    def key(self, call: Arguments) -> str:
        """Return the key of a call. Exceptions of the author's function pass through.

        :raises InvalidInput: if it is no key.
        """
        return key_of(self.name, self._key(call))

    def named(self, call: Arguments, dumped: Mapping[str, Any] | None = None) -> Named:
        """Return the key of a call, and what must be equal when the key is: what ``about`` says, or
        the arguments that have not their default, without ``self``. A parameter that is added later
        changes no request. Exceptions of the author's functions pass through.

        ``dumped`` are the arguments as JSON, if they are known.

        :raises InvalidInput: for a key that is none, and a request that is not JSON.
        """
        key, parameters = self.key(call), self.signature.parameters
        if self._about is not None:
            return key, encoded(self._about(call)), None
        if dumped is None:
            own = {name for name in call.given if call.values[name] is parameters[name].default}
            names = [name for name in call.given if name not in {self._self, *own}]
            dumped = encoded({name: call.values[name] for name in names})
        request = {
            name: value
            for name, value in dumped.items()
            if parameters[name].default is Parameter.empty
            or not is_encoded_as(parameters[name].default, value)
        }
        return key, request, partial(encoded, dict(call.values))


def key_of(name: str, given: object) -> str:
    """Return the key of a call as a string.

    :raises InvalidInput: if it is not a string, number or UUID, or is blank, too long or not
        printable ASCII.
    """
    kind, text = type(given), ""
    if isinstance(given, str):
        text = str.__str__(given)
    elif (isinstance(given, int) and kind is not bool) or kind.__name__ == "UUID":
        text = f"{given:d}" if isinstance(given, int) else str(given)
    if (
        not 1 <= len(text) <= _LONGEST
        or not text.isascii()
        or not text.isprintable()
        or text.isspace()
    ):
        fault = (
            f"must be text, a whole number or a UUID, of 1 to {_LONGEST} printable ASCII "
            f"characters, not {kind.__name__}"
        )
        raise InvalidInput(
            f"'{name}' has no valid key",
            details=[Detail("/key", fault)],
            hint="Use what names the intent, as an order's ID.",
        )
    return text


def key_in_journal(name: str, key: str) -> str:
    """Return the key by which the journal knows a call of a function."""
    return f"{HOST}/{name}/{key}"
