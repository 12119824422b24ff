"""Objects that hold secrets, or messages of callers. Their representation contains no secret, and
no pickle carries them to another process or a file. The module also masks passwords in the URLs of
a text.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # importing typing would double the start-up time of a cold --help
if TYPE_CHECKING:
    from typing import Any, NoReturn


class SecretHolder:
    """Base of objects that hold secrets, or signed-in connections."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __str__(self) -> str:
        return repr(self)

    # of pydantic's models, which rich and devtools ask in place of ``repr``
    def __repr_args__(self) -> tuple[()]:
        return ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} cannot be pickled: it holds secrets, or what belongs to this "
            "process"
        )


class Hidden(SecretHolder):
    """Wrapper of a value on its way through frames: tools that display the variables of a frame do
    not display it.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


_USER_INFO = r"(?<!\S)((?>\S*?//))\S*@"
"""Regular expression of a URL's user name and password. It also matches passwords with characters
that should have been escaped.
"""


def without_password(text: str) -> str:
    """Mask the user name and password of each URL in a text."""
    return re.sub(_USER_INFO, r"\1***@", text) if "@" in text else text
