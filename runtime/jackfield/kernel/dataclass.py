"""``dataclass``, ``field`` and ``replace`` as in the standard library, at a tenth of their cost for
a cold command.

The standard library compiles six methods for each frozen dataclass with slots, and imports
``inspect`` for it: half a millisecond each, of which a cold ``invoke`` paid a hundred. Here one
method is compiled, when the first object is made, and the others are shared. To type checkers these
are the standard library's; its functions (``fields``, ``replace``, ``is_dataclass``) accept these
classes, and its decorator their subclasses. Not supported: ``order``, ``kw_only``, ``InitVar``.
"""

from __future__ import annotations

import sys
from operator import attrgetter

from jackfield.kernel.exports import LateAnnotations

TYPE_CHECKING = False  # typing would cost a cold command as much as all the rest of this module
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["core_schema", "dataclass", "field", "readable", "replace"]

_FIELDS = "__own_fields__"
_NAMES = "__match_args__"
_UNSET: Any = object()
_DECORATED = ("__dataclass_fields__", "__dataclass_params__")


class _Field:
    """One field: its default, the function that makes its default, and the methods that use it."""

    __slots__ = ("annotation", "compare", "default", "default_factory", "init", "repr")

    def __init__(
        self, default: Any, default_factory: Any, *, init: bool, repr: bool, compare: bool
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.annotation: Any = None


_Slot: Any = type(_Field.__dict__["default"])


def _field(
    *,
    default: Any = _UNSET,
    default_factory: Any = _UNSET,
    init: bool = True,
    repr: bool = True,
    compare: bool = True,
) -> _Field:
    return _Field(default, default_factory, init=init, repr=repr, compare=compare)


def _dataclass(
    cls: Any = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    eq: bool = True,
    repr: bool = True,
) -> Any:
    if cls is None:
        return lambda given: _made(given, frozen=frozen, slots=slots, eq=eq, repr=repr)
    return _made(cls, frozen=frozen, slots=slots, eq=eq, repr=repr)


def _replace(one: Any, /, **changes: Any) -> Any:
    fields = vars(type(one)).get(_FIELDS)
    if fields is None:  # a dataclass of the standard library
        return _standard().replace(one, **changes)
    return type(one)(
        **{
            name: getattr(one, name)
            for name, about in fields.items()
            if about.init and name not in changes
        },
        **changes,
    )


def _made(cls: Any, *, frozen: bool, slots: bool, eq: bool, repr: bool) -> Any:
    own = _own_fields(cls)
    fields: dict[str, _Field] = {}
    for base in reversed(cls.__mro__[1:]):
        fields |= base.__dict__.get(_FIELDS, {})
    fields |= own
    if slots:
        cls = _with_slots(cls, own)
    else:
        _set_defaults(cls, own)
    taken = cls.__dict__
    setattr(cls, _FIELDS, fields)
    setattr(cls, _NAMES, tuple(name for name, about in fields.items() if about.init))
    if "__init__" not in taken:
        cls.__init__ = _Init(cls, frozen=frozen)
    if repr and "__repr__" not in taken:
        cls.__repr__ = _repr
    if eq:
        _compare(cls, fields, frozen=frozen)
    if frozen:
        _freeze(cls, fields)
    if slots and "__getstate__" not in taken:
        cls.__getstate__, cls.__setstate__ = _state, _set_state
    for name in _DECORATED:
        setattr(cls, name, _Standard(cls, name, frozen=frozen, eq=eq, repr=repr))
    return cls


def _own_fields(cls: Any) -> dict[str, _Field]:
    own: dict[str, _Field] = {}
    for name, annotation in _annotations(cls).items():
        if not str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            given = cls.__dict__.get(name, _UNSET)
            own[name] = about = given if isinstance(given, _Field) else _field(default=given)
            about.annotation = annotation
    return own


def _annotations(cls: Any) -> dict[str, Any]:
    """Return a class's own annotations. From Python 3.14, a module without the future import
    computes them when they are first read.
    """
    own = vars(cls)
    found: dict[str, Any] = (
        cls.__annotations__ if "__annotate_func__" in own else own.get("__annotations__", {})
    )
    return found


def _with_slots(cls: Any, own: dict[str, _Field]) -> Any:
    """Return a copy of the class with slots, which a class gets only when it is created."""
    members = {
        name: value
        for name, value in cls.__dict__.items()
        if name not in own and name not in ("__dict__", "__weakref__")
    }
    inherited = {
        name for base in cls.__mro__[1:] for name in _names(base.__dict__.get("__slots__", ()))
    }
    members["__slots__"] = tuple(name for name in own if name not in inherited)
    made = type(cls)(cls.__name__, cls.__bases__, members)
    made.__qualname__ = cls.__qualname__
    return made


def _names(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _set_defaults(cls: Any, own: dict[str, _Field]) -> None:
    for name, about in own.items():
        if about.default is not _UNSET:
            setattr(cls, name, about.default)
        elif name in cls.__dict__:
            delattr(cls, name)


class _Init:
    def __init__(self, cls: Any, *, frozen: bool) -> None:
        self._cls = cls
        self._frozen = frozen

    def __get__(self, one: Any, owner: Any = None) -> Any:
        """Compile ``__init__``, and return it as a function or bound method."""
        made = self._cls.__init__ = _init(self._cls, frozen=self._frozen)
        return made if one is None else made.__get__(one, owner)


def _init(cls: Any, *, frozen: bool) -> Any:
    known: dict[str, Any] = {"_set": object.__setattr__, "_UNSET": _UNSET}
    parameters, lines = ["self"], list[str]()
    fields: dict[str, _Field] = getattr(cls, _FIELDS)
    for name, about in fields.items():
        value = name
        if about.default_factory is not _UNSET:
            known[f"_make_{name}"] = about.default_factory
            value = (
                f"_make_{name}() if {name} is _UNSET else {name}"
                if about.init
                else f"_make_{name}()"
            )
        elif about.default is not _UNSET:
            known[f"_default_{name}"] = about.default
            value = name if about.init else f"_default_{name}"
        elif not about.init:
            continue
        if about.init:
            default = "_UNSET" if about.default_factory is not _UNSET else f"_default_{name}"
            parameters.append(
                name if value == name and f"_default_{name}" not in known else f"{name}={default}"
            )
        slot: Any = getattr(cls, name, None)
        # to set it itself costs two thirds of having it found by its name
        if frozen and type(slot) is _Slot:
            known[f"_set_{name}"] = slot.__set__
            lines.append(f" _set_{name}(self, {value})")
        else:
            lines.append(f" _set(self, {name!r}, {value})" if frozen else f" self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    body = "\n ".join([f" def __init__({', '.join(parameters)}):", *(lines or [" pass"])])
    scope: dict[str, Any] = {}
    module = sys.modules.get(cls.__module__)
    # none where Python ends, which has dropped its modules
    names = {} if module is None else vars(module)
    exec(f"def _made({', '.join(known)}):\n{body}\n return __init__", names, scope)
    made = scope["_made"](**known)
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    annotations = {name: about.annotation for name, about in fields.items() if about.init}
    made.__annotations__ = LateAnnotations({**annotations, "return": None}, cls.__module__)
    return made


def _repr(self: Any) -> str:
    fields = getattr(type(self), _FIELDS).items()
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name, about in fields if about.repr)})"


def _compare(cls: Any, fields: dict[str, _Field], *, frozen: bool) -> None:
    names = [name for name, about in fields.items() if about.compare]
    key: Callable[[Any], Any] = attrgetter(*names) if names else type

    def equal(self: Any, other: object) -> Any:
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        try:
            return hash(key(self))
        except TypeError:  # for a mapping in one of the fields
            return hash(
                tuple(value for name in names if _is_hashable(value := getattr(self, name)))
            )

    defines_eq = "__eq__" in cls.__dict__
    has_hash = cls.__dict__.get("__hash__") is not None or (
        "__hash__" in cls.__dict__ and not defines_eq
    )
    if not defines_eq:
        cls.__eq__ = equal
    if not has_hash:
        cls.__hash__ = hashed if frozen else None


def _freeze(cls: Any, fields: dict[str, _Field]) -> None:
    def refuse(self: Any, name: str, value: object) -> None:
        if type(self) is cls or name in fields:
            raise AttributeError(f"cannot assign to field '{name}'")
        super(cls, self).__setattr__(name, value)

    def refuse_deletion(self: Any, name: str) -> None:
        if type(self) is cls or name in fields:
            raise AttributeError(f"cannot delete field '{name}'")
        super(cls, self).__delattr__(name)

    cls.__setattr__, cls.__delattr__ = refuse, refuse_deletion


def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in getattr(type(self), _FIELDS)]


def _set_state(self: Any, state: list[Any]) -> None:
    for name, value in zip(getattr(type(self), _FIELDS), state, strict=True):
        object.__setattr__(self, name, value)


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _standard() -> Any:
    import dataclasses

    return dataclasses


class _Standard:
    """Placeholder for the standard library's data about a dataclass, until one of its functions
    reads them.
    """

    def __init__(self, cls: Any, name: str, **how: Any) -> None:
        self._cls = cls
        self._name = name
        self._how = how

    def __get__(self, one: Any, owner: Any = None) -> Any:
        """Create the same class with the standard library, and store the library's data about
        it.
        """
        dataclasses = _standard()

        def given(about: _Field) -> Any:
            chosen = {"default": about.default, "default_factory": about.default_factory}
            chosen = {name: value for name, value in chosen.items() if value is not _UNSET}
            return dataclasses.field(
                init=about.init, repr=about.repr, compare=about.compare, **chosen
            )

        fields = [
            (name, about.annotation, given(about))
            for name, about in getattr(self._cls, _FIELDS).items()
        ]
        twin = dataclasses.make_dataclass(self._cls.__name__, fields, **self._how)
        for name in _DECORATED:
            setattr(self._cls, name, getattr(twin, name))
        return getattr(twin, self._name)


class _Readable:
    """Placeholder for the fields of a class that is not a dataclass, until an encoder that reads
    dataclasses accesses them.
    """

    def __init__(self, cls: Any, name: str, names: tuple[str, ...]) -> None:
        self._cls, self._name, self._names = cls, name, names

    def __get__(self, one: Any, owner: Any = None) -> Any:
        """Create and return the fields."""
        made = _standard().make_dataclass(
            self._cls.__name__, [(name, "object") for name in self._names], eq=False, repr=False
        )
        for name in _DECORATED:
            setattr(self._cls, name, getattr(made, name))
        return getattr(made, self._name)


def readable(cls: Any, *names: str) -> None:
    """Let ``dataclasses.asdict``, and encoders that work like it, read these attributes of a class.
    Call it for each subclass.
    """
    cls.__slots__ = ()  # to orjson, the sign that the fields count, and not the object's dictionary
    for name in _DECORATED:
        setattr(cls, name, _Readable(cls, name, names))


def core_schema(cls: Any, read: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the schema that pydantic needs for a class with ``to_json``, whose JSON ``read``
    parses.
    """

    def found(given: Any) -> Any:
        if isinstance(given, cls):
            return given
        try:
            made = read(given)
        except (KeyError, TypeError, AttributeError):
            made = None
        if cls not in type(made).__mro__:
            raise ValueError(f"is not the JSON of {cls.__name__}")
        return made

    written = {"type": "function-plain", "function": lambda one: one.to_json()}
    return {
        "type": "function-plain",
        "function": {"type": "no-info", "function": found},
        "serialization": written,
        "ref": cls.__name__,
    }


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _dataclass, _field, _replace
