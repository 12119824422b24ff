"""Names that are imported on first use, so that a program loads only the parts it uses: public
names of a package (PEP 562), and names that only annotations need.

``typing.get_type_hints``, and the tools built on it (pydantic's ``validate_call``, tools made from
functions, containers that read ``__init__``), look a name up in the module of the function or
class. The first reader of an annotation pays for the imports under ``TYPE_CHECKING`` in its module.
Packages prepare their exports, and from there all names in their annotations. A module whose
objects callers get only from methods calls ``late_hints`` at its end.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing for it would double the start-up time of a cold --help
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import CodeType
    from typing import Any

_NOTED, _COMPLETED = "__hints_noted__", "__hints_completed__"


def exports(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for ``package``.

    ``homes`` maps each module to the names that it defines, separated by spaces. A module that
    begins with a dot is relative to the package.
    """
    found_in = {name: home for home, names in homes.items() for name in names.split()}

    def find(name: str) -> Any:
        if name not in found_in:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module

        found = getattr(import_module(found_in[name], package), name)
        late_hints_of(found)
        setattr(sys.modules[package], name, found)  # so that the next access does not come here
        return found

    def names() -> list[str]:
        return sorted(sys.modules[package].__all__)

    return find, names


def late_hints(module: str) -> None:
    """Make the annotations of all classes and functions that ``module`` defines readable."""
    namespace = vars(sys.modules[module])
    if _NOTED in namespace:
        return
    for found in [*namespace.values()]:
        _note(found, module)
        for member in (
            [*vars(found).values()]
            if isinstance(found, type) and found.__module__ == module
            else ()
        ):
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            # of a base in another module, which a decorator of the class has wrapped here
            inner = getattr(function, "__wrapped__", None)
            _note(function, module if inner is None else inner.__module__)
    namespace[_NOTED] = True


def late_hints_of(found: object) -> None:
    """Call ``late_hints`` for the modules of a class and its bases, or of a function, if they
    belong to jackfield's packages.
    """
    for one in found.__mro__ if isinstance(found, type) else (found,):
        module = getattr(one, "__module__", None)
        if isinstance(module, str) and module.startswith("jackfield") and module in sys.modules:
            late_hints(module)


def _note(found: Any, module: str) -> None:
    """Replace the annotations of a class or function that has its own; not of a pydantic model,
    whose annotations are read with each subclass.

    From Python 3.14, the ``__init__`` of a dataclass derives its annotations from the class when
    they are read, so they are not replaced.
    """
    if (
        not isinstance(found, (type, _FUNCTION))
        or found.__module__ != module
        or "__pydantic_decorators__" in vars(found)
    ):
        return
    reader = getattr(found, "__annotate__", None)
    is_made_elsewhere = reader is not None and reader.__module__ != module
    own = (
        vars(found).get("__annotations__")
        if isinstance(found, type) or is_made_elsewhere
        else found.__annotations__
    )
    if type(own) is dict and own:
        found.__annotations__ = LateAnnotations(own, module)
    _note(getattr(found, "__wrapped__", None), module)


_FUNCTION = type(late_hints)


class LateAnnotations(dict[str, "Any"]):
    """Annotations of one class or function. Reading them first completes the names of the module
    that defines it.
    """

    __slots__ = ("_module",)

    def __init__(self, known: dict[str, Any], module: str) -> None:
        super().__init__(known)
        self._module = module

    def __iter__(self) -> Iterator[str]:
        _complete(self._module)
        return super().__iter__()

    def __contains__(self, name: object) -> bool:
        _complete(self._module)
        return super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        _complete(self._module)
        return super().__getitem__(name)

    def keys(self) -> Any:
        """Return the names."""
        _complete(self._module)
        return super().keys()

    def values(self) -> Any:
        """Return the annotations."""
        _complete(self._module)
        return super().values()

    def items(self) -> Any:
        """Return names and annotations."""
        _complete(self._module)
        return super().items()


def _complete(module: str) -> None:
    """Add the names that a module has only for type checkers; without its source, or a package of
    an extra, they stay unknown.
    """
    namespace = vars(sys.modules[module])
    if _COMPLETED in namespace:
        return
    import ast
    from linecache import getlines

    text = "".join(getlines(str(namespace.get("__file__")), namespace))
    known = dict(namespace)
    for block in _parsed(ast, text).body:
        for statement in (
            block.body if isinstance(block, ast.If) and _is_for_checkers(block.test) else ()
        ):
            _run(compile(ast.Module([statement], []), module, "exec"), known)
    for name, value in known.items():
        namespace.setdefault(name, value)
        late_hints_of(value)
    namespace[_COMPLETED] = True
    for base in {
        base.__module__
        for kind in known.values()
        if getattr(kind, "__module__", "") == module
        for base in getattr(kind, "__mro__", ())
    }:
        # fields of a base are members of ``__init__`` here
        if base != module and base.startswith("jackfield") and base in sys.modules:
            _complete(base)
            for name, value in vars(sys.modules[base]).items():
                # what a module is, and how far this has come with it, is its own
                if not name.startswith("__"):
                    namespace.setdefault(name, value)


def _parsed(ast: Any, text: str) -> Any:
    """Return the tree of a source. Parse again if another thread was parsing: CPython 3.11 adds up
    the depth of both.
    """
    for _ in range(100):
        try:
            return ast.parse(text)
        except SystemError:  # https://github.com/python/cpython/issues/106905
            continue
    return ast.parse(text)


def _run(line: CodeType, known: dict[str, Any], tries: int = 2) -> None:
    """Run an import, and again if the imported module also has the name only for type checkers."""
    try:
        exec(line, known)
    except ImportError as error:
        if tries > 1 and error.name in sys.modules and str(error.name).startswith("jackfield"):
            _complete(str(error.name))
            _run(line, known, tries - 1)


def _is_for_checkers(test: Any) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))
