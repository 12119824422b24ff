"""Objects that hold secrets, or messages of callers: they show none of them, and no pickle carries them to another process or a file."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would double the start-up time of a cold --help
if TYPE_CHECKING:
    from typing import NoReturn


class SecretHolder:
    """Base of objects that hold secrets, or open connections that are signed in."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __str__(self) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled: it holds secrets, or what belongs to this process")
