"""Functions with an effect as actions of this process's connector ``host``: their calls run like
any connector's calls.

A direct call runs the same way: its arguments become inputs, and the action turns the inputs into
arguments again. The caller gets the function's value or exception unchanged (``_Direct``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import Parameter, getdoc, signature
from typing import TYPE_CHECKING, Any, ClassVar, cast, get_args, get_type_hints

from pydantic import create_model
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticUndefined

from jackfield.boundary.values import encoded, key_of, refusal, request_of, tried, unrecorded
from jackfield.call.waiter import run_in_thread
from jackfield.catalog.installed import Catalog, Own
from jackfield.connector.actions import Action, Intent
from jackfield.connector.context import current_call
from jackfield.connector.declare import Connector
from jackfield.connector.manifests import describe
from jackfield.connector.models import Field, Inputs, Output, spelt_out
from jackfield.invocation.result import InvocationFailed
from jackfield.kernel.clock import Deadline
from jackfield.kernel.errors import Detail, InvalidInput, Rejected, Sent, Unavailable
from jackfield.kernel.failures import Raised, attempt
from jackfield.manifest.manifest import Manifest
from jackfield.manifest.reading import HOST

if TYPE_CHECKING:
    from jackfield.boundary.bound import Runtime
    from jackfield.invocation.result import Result

_TITLE, _ABOUT = "Functions of this program", "What the program declares with 'once' and an effect."


class _Direct:
    """Direct call of a function: it receives the function's value or exception."""

    __slots__ = ("error", "has_value", "value")

    def __init__(self) -> None:
        self.value: Any = None
        self.has_value = False
        self.error: Exception | None = None


_DIRECT: ContextVar[_Direct | None] = ContextVar("_DIRECT", default=None)
"""Direct call whose action runs next."""


class _Arguments(Inputs):
    function: ClassVar[Function]

    def rules(self) -> Iterator[Detail]:
        """Yield the fault of arguments from which no key can be made."""
        found = attempt(self.function.named, self) if self.function.has_key else None
        if isinstance(found, Raised):
            faults = found.error.details if isinstance(found.error, InvalidInput) else ()
            told = faults[0].message if faults else f"cannot be made: {type(found.error).__name__}"
            yield Detail("", f"the key of '{self.function.name}' {told}")


class _Value(Output):
    value: Any = None


class Function:
    """Function with an effect: its action, and the entry points of its direct calls (``called``,
    ``acalled``). ``declared`` is its ``once``.
    """

    def __init__(self, declared: Any, function: Callable[..., Any], *, loops: bool) -> None:
        self.name, self.place = declared.name, f"{function.__module__}.{function.__qualname__}"
        self.has_key, self._prefix = declared.key is not None, f"{HOST}/{declared.name}/"
        self._declared, self._function, self._signature = declared, function, signature(function)
        self._key, self._about = (
            one and _taking(one, self._signature.parameters)
            for one in (declared.key, declared.about)
        )
        hints = get_type_hints(function, include_extras=True)
        self._inputs = self._arguments_of(hints)
        made = hints.get("return", Any)
        value = Field(None, secret=None if declared.keep else True)
        output = create_model(
            "Made", __base__=Output, value=(Any if made is type(None) else made, value)
        )
        self.action = Action(
            key=self.name,
            title=declared.context.get("title")
            or spelt_out(self.name.replace("-", "_").replace(".", "_")),
            description=getdoc(function) or "",
            effect=declared.effect or "write",
            function=self._arun if loops else self._run,
            inputs=self._inputs,
            output=output,
            takes_client=False,
            is_async=loops,
            permissions={},
            needs_connection=False,
            intent=Intent(
                self._intent if self.has_key else None, declared.keep_for, declared.timeout
            ),
        )
        alone = Connector(HOST, title=_TITLE, version="1")
        alone.actions = {self.name: self.action}
        self.row = {**describe(alone)["actions"][0], "outputPolicy": "describe"}
        self.edition = 0
        _declare(self)

    def _arguments_of(self, hints: Mapping[str, Any]) -> type[_Arguments]:
        """Return the model of the arguments. Its fields have generated names, since a parameter may
        have the name of a method of the model.
        """
        fields: dict[str, Any] = {}
        for name, one in self._signature.parameters.items():
            if one.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD) or name not in hints:
                raise TypeError(
                    f"'{self.name}': with 'effect' each argument has a type, and '{name}' has none"
                )
            default = one.default
            if default is Parameter.empty:
                default = None if type(None) in get_args(hints[name]) else PydanticUndefined
            fields[f"argument_{len(fields)}"] = (hints[name], Field(default, alias=to_camel(name)))
        made = attempt(create_model, "Arguments", __base__=_Arguments, **fields)
        if isinstance(made, Raised):
            told = str(made.error).partition(". ")[0]
            raise TypeError(
                f"'{self.name}': with 'effect' arguments have types that JSON has a form for: "
                f"{told}"
            ) from made.error
        made.function = self
        return made

    def named(self, inputs: Inputs) -> tuple[str, Any]:
        """Return the idempotency key and the description of a call. Exceptions of the author's
        functions pass through.
        """
        values, about = self._values(inputs), self._about
        return self._prefix + self._key_of(values), inputs.model_dump(
            mode="json"
        ) if about is None else {"about": encoded(about(values))}

    def _intent(self, inputs: Mapping[str, Any]) -> tuple[str, Any]:
        return self.named(self._inputs.model_validate(inputs))

    def _key_of(self, values: Mapping[str, Any]) -> str:
        return key_of(self.name, None if self._key is None else self._key(values))

    def _values(self, inputs: Inputs) -> dict[str, Any]:
        return {
            name: getattr(inputs, f"argument_{number}")
            for number, name in enumerate(self._signature.parameters)
        }

    def _given(self, inputs: Inputs) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and the named arguments, after checking that the call has the key
        made from them.

        :raises InvalidInput: if the call has another key, under which the function could run twice.
        """
        call, values, parameters = current_call(), self._values(inputs), self._signature.parameters
        if self.has_key and (call is None or call.key.value != self._prefix + self._key_of(values)):
            raise InvalidInput(
                f"the key of '{self.name}' is not the one that its call has: it must be the same "
                "whenever it is made"
            )
        named = {
            name: values.pop(name)
            for name in parameters
            if parameters[name].kind is Parameter.KEYWORD_ONLY
        }
        return [*values.values()], named

    def _run(self, inputs: Inputs) -> _Value:
        return run_in_thread(self._arun(inputs))

    async def _arun(self, inputs: Inputs) -> _Value:
        given, named = self._given(inputs)
        with _handing(None) as direct:
            loops = self.action.is_async
            found = (
                await tried(self._function, *given, **named)
                if loops
                else attempt(self._function, *given, **named)
            )
        made = attempt(self._made, found, direct or _Direct())
        if (call := current_call()) is not None and call.answer_late is not None:
            call.answer_late(
                made.error
                if isinstance(made, Raised)
                else {"value": made.value if self._declared.keep else None}
            )
        if isinstance(made, Raised):
            raise made.error
        return made

    def _made(self, found: Any, direct: _Direct) -> _Value:
        """Return the output of a success. A value that is not JSON is not recorded; the caller gets
        a warning.

        :raises JackfieldError: if the function raised an exception that is a refusal or leaves a
            doubt.
        """
        if isinstance(found, Raised):
            direct.error = found.error
            raise self._explained(found.error)
        direct.value, direct.has_value = found, True
        output = attempt(encoded, found)
        if not isinstance(output, Raised):
            return _Value.model_construct(value=output)
        if (call := current_call()) is not None:
            call.warn(unrecorded(output.error))
        return _Value()

    def _explained(self, error: Exception) -> Exception:
        # it is no cause of the other: that loses its frames, and a direct caller gets it as it is
        if isinstance(error, self._declared.refusals):
            return Rejected(refusal(self.name, error), sent=Sent.REFUSED)
        unclear = Unavailable(
            f"it raised {type(error).__name__}", sent=Sent.UNKNOWN, repeatable=False
        )
        return unclear if self.action.effect == "write" else error

    def called(self, *given: Any, **named: Any) -> Any:
        """Call the action's function in this thread, and return its value."""
        return run_in_thread(self._called(given, named, loops=False))

    async def acalled(self, *given: Any, **named: Any) -> Any:
        """Call the action's function in asyncio, and return its value."""
        return await self._called(given, named, loops=True)

    async def _called(
        self, given: tuple[Any, ...], named: Mapping[str, Any], *, loops: bool
    ) -> Any:
        runtime, call = self._declared.pages, self._call_of(given, named)
        while True:
            direct = _Direct()
            with _handing(direct):
                result = (
                    await runtime.ainvoke(call, wait=True)
                    if loops
                    else runtime.invoke(call, wait=True)
                )
            settled = await self._settled(runtime, result, given, named, loops=loops)
            if settled is result or settled.status != "failed":
                return self._return_value(settled, direct)

    def _call_of(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        """Return the invocation of a direct call.

        :raises TypeError: if the function does not take the arguments, or has been declared again
            since.
        """
        if FUNCTIONS[self.name] is not self:
            raise TypeError(
                f"'{self.name}' was declared again since, by {self.place}: with 'effect' a name "
                "has one function"
            )
        arguments = self._signature.bind(*given, **named).arguments
        inputs = {to_camel(name): value for name, value in arguments.items() if value is not None}
        context = {name: value for name, value in self._declared.context.items() if name != "title"}
        call = {
            "connector": HOST,
            "action": self.name,
            "inputs": inputs,
            "timeoutSeconds": self._declared.timeout,
        }
        return {**call, "context": context} if context else call

    async def _settled(
        self,
        runtime: Runtime,
        known: Result,
        given: tuple[Any, ...],
        named: Mapping[str, Any],
        *,
        loops: bool,
    ) -> Result:
        """Return a call's Result, ``known``. For a replayed doubt, look for the effect first, and
        return the settled Result if that settles it.
        """
        declared, bound = self._declared, runtime.function_calls
        if known.status != "in_doubt" or not known.meta.replayed:
            return known
        key, deadline = (
            self._key_of(request_of(self._signature, given, named)),
            Deadline.after(declared.timeout, runtime.clock),
        )
        return cast(
            "Result",
            await declared.looked_up(bound, bound.waiter(loops=loops), deadline, key, known),
        )

    def _return_value(self, result: Result, direct: _Direct) -> Any:
        """Return the value of a call that has ended, or raise the exception that ended it.

        :raises InvocationFailed: if it is in doubt, waits for a person, or was refused before the
            function ran.
        """
        if result.status == "in_doubt":
            raise InvocationFailed(result) from direct.error
        if result.status == "failed" and direct.error is not None:
            raise direct.error
        if direct.has_value:
            return direct.value
        output = result.unwrap()
        return (
            self._declared.returns(output["value"])
            if self._declared.keep and "value" in output
            else None
        )


def _taking(
    function: Callable[..., Any], known: Collection[str]
) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function that calls ``function`` with a mapping of all ``known`` arguments: with the
    arguments that it has parameters for, by name. If it has a parameter of another name, it gets
    the first arguments in order.
    """
    taken = signature(function).parameters.values()
    every = any(one.kind is Parameter.VAR_KEYWORD for one in taken)
    names = [
        one.name
        for one in taken
        if one.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    ]
    if {*names} - {*known} or any(one.kind is Parameter.POSITIONAL_ONLY for one in taken):
        return lambda values: function(*[*values.values()][: len(names)])
    return lambda values: function(
        **{name: value for name, value in values.items() if every or name in names}
    )


@contextmanager
def _handing(direct: _Direct | None) -> Iterator[_Direct | None]:
    """Store a direct call for the next action that runs in the block. Yield the direct call that
    was stored for this action.
    """
    token = _DIRECT.set(direct)
    try:
        yield None if token.old_value is token.MISSING else token.old_value
    finally:
        _DIRECT.reset(token)


FUNCTIONS: dict[str, Function] = {}
"""Registry of this process's functions with an effect, by name."""


def _declare(function: Function) -> None:
    """Declare a function as an action of the connector ``host``; a module that is imported again
    replaces its earlier declaration.

    :raises TypeError: if another place has declared the name.
    """
    before = FUNCTIONS.get(function.name)
    if before is not None and before.place != function.place:
        raise TypeError(
            f"'{function.name}' is declared twice with 'effect': by {before.place} and by "
            f"{function.place}"
        )
    function.edition = 0 if before is None else before.edition + 1
    FUNCTIONS[function.name] = function
    known: list[Function] = []
    while known != [*FUNCTIONS.values()]:  # another thread may declare one meanwhile
        known = [*FUNCTIONS.values()]
        Catalog.own = (_connector_of(known),)


def _connector_of(functions: Sequence[Function]) -> Own:
    """Return the connector of functions. Declaring a function again changes the version, since
    caches are keyed by the manifest's version.
    """
    connector = Connector(
        HOST, title=_TITLE, version=f"1.{sum(one.edition for one in functions)}", description=_ABOUT
    )
    connector.actions = {one.name: one.action for one in functions}
    raw = {**describe(connector, ()), "actions": [one.row for one in functions]}
    return Own(Manifest.from_json({**raw, "key": "own"}).part(key=HOST, raw=raw), connector)
