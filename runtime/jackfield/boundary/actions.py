"""Functions with an effect as actions of this process's connector ``host``: their calls run like
any connector's calls.

A direct call runs the same way: its arguments become inputs, and the action turns the inputs into
arguments again. The caller gets the function's value or exception unchanged (``_Direct``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import Parameter, getdoc
from typing import TYPE_CHECKING, Any, ClassVar, cast, get_args
from weakref import WeakValueDictionary

from pydantic import create_model
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticUndefined

from jackfield.boundary.intents import Named, key_in_journal
from jackfield.boundary.values import kept, outcome, verdict
from jackfield.call.waiter import run_in_thread
from jackfield.catalog.installed import Catalog, Own
from jackfield.connector.actions import Action, Intent
from jackfield.connector.context import current_call
from jackfield.connector.declare import Connector
from jackfield.connector.manifests import describe
from jackfield.connector.models import Field, Inputs, Output, spelt_out
from jackfield.invocation.entry import is_elsewhere
from jackfield.invocation.result import InvocationFailed
from jackfield.kernel.errors import Detail, InvalidInput, Sent, Unavailable
from jackfield.kernel.failures import OnFailure, Raised, attempt, value_of
from jackfield.kernel.functions import Arguments, origin
from jackfield.manifest.manifest import Manifest
from jackfield.manifest.reading import HOST
from jackfield.schema.python_types import hints_of

if TYPE_CHECKING:
    from jackfield.boundary.looks import Declaration
    from jackfield.connector.context import Call
    from jackfield.invocation.result import Result

_LOG = logging.getLogger("jackfield.once")
_TITLE, _ABOUT = "Functions of this program", "What the program declares with 'once' and an effect."


class _Direct:
    """Direct call of a function: its ``outcome`` is empty until the function has ended, then its
    value, or its exception as ``Raised``.
    """

    outcome: tuple[Any, ...] = ()


_DIRECT: WeakValueDictionary[str, _Direct] = WeakValueDictionary()
"""Direct calls that run, by their IDs."""


class _Arguments(Inputs):
    function: ClassVar[Function]

    def rules(self) -> Iterator[Detail]:
        """Yield the fault of arguments from which no key can be made."""
        found = attempt(self.function.named, self) if self.function.is_keyed else None
        if isinstance(found, Raised):
            faults = found.error.details if isinstance(found.error, InvalidInput) else ()
            told = faults[0].message if faults else f"cannot be made: {type(found.error).__name__}"
            yield Detail("", f"the key of '{self.function.name}' {told}")


class _Value(Output):
    value: Any = None


class Function:
    """Function with an effect: its action, and the entry point of its direct calls (``called``).
    ``declared`` is its ``once``.
    """

    def __init__(self, declared: Declaration, function: Callable[..., Any], *, loops: bool) -> None:
        self.name, self.declared = declared.name, declared
        self.is_keyed = declared.key is not None
        self._signature = declared.naming.signature
        self._function, self._loops = function, loops
        self._inputs = self._arguments_of(
            hints_of(origin(function), self._signature.parameters, extras=True)
        )
        made = attempt(hints_of, origin(function), ["return"], extras=True)
        kind = Any if isinstance(made, Raised) else made.get("return", Any)
        value = Field(None, secret=None if declared.keep else True)
        output = attempt(create_model, "Made", __base__=Output, value=(kind, value))
        self.action = Action(
            key=self.name,
            title=(declared.work.context or {}).get("title")
            or spelt_out(self.name.replace("-", "_").replace(".", "_")),
            description=getdoc(origin(function)) or "",
            effect=declared.effect or "write",
            function=self._run if loops else lambda inputs: run_in_thread(self._run(inputs)),
            inputs=self._inputs,
            output=_Value if isinstance(output, Raised) else output,
            takes_client=False,
            is_async=loops,
            permissions={},
            needs_connection=False,
            intent=Intent(
                self._intent if self.is_keyed else None,
                declared.work.kept_for or 0.0,
                declared.work.seconds,
                declared.place,
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
            missing = None if type(None) in get_args(hints[name]) else PydanticUndefined
            default = missing if one.default is Parameter.empty else one.default
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

    def named(self, inputs: Inputs) -> Named:
        """Return the key and the request of a call by its inputs, as ``Naming.named`` does."""
        before = inputs.model_dump(mode="json")
        dumped = dict(zip(self._signature.parameters, before.values(), strict=True))
        key, request, formerly = self.declared.naming.named(self._arguments(inputs), dumped)
        key = key_in_journal(self.name, key)
        return (key, request, lambda: before) if formerly else (key, {"about": request}, None)

    def _intent(self, inputs: Mapping[str, Any]) -> Named:
        return self.named(self._inputs.model_validate(inputs))

    def _arguments(self, inputs: Inputs) -> Arguments:
        values = {
            name: getattr(inputs, f"argument_{number}")
            for number, name in enumerate(self._signature.parameters)
        }
        return Arguments.by_name(self._signature, values)

    async def _run(self, inputs: Inputs) -> _Value:
        """Run the function, and return the output of a success.

        :raises InvalidInput: if the call has another key than the one that is made of its
            arguments, under which the function could run twice.
        :raises JackfieldError: if the function raised an exception that is a refusal, or leaves a
            doubt.
        """
        call, arguments = cast("Call", current_call()), self._arguments(inputs)
        naming = self.declared.naming
        if self.is_keyed and call.key.value != key_in_journal(self.name, naming.key(arguments)):
            raise InvalidInput(
                f"the key of '{self.name}' is not the one that its call has: it must be the same "
                "whenever it is made"
            )
        with OnFailure(self._stopped, call):
            found = await outcome(
                self._function, arguments.positional, arguments.named, loops=self._loops
            )
        if (direct := _DIRECT.get(call.invocation_id)) is not None:
            direct.outcome = (found,)
        made = attempt(self._made, found, call)
        call.ended = True  # before that is read: whoever leaves now looks at it, too
        if call.answer_late is not None:
            call.answer_late(
                made.error
                if isinstance(made, Raised)
                else {"value": made.value if self.declared.keep else None}
            )
        return value_of(made)

    @staticmethod
    def _stopped(call: Call) -> None:
        """Record that a function whose caller has left was stopped, as by an exit: nobody knows
        whether it took effect.
        """
        call.ended = True
        if call.answer_late is not None:
            call.answer_late(Unavailable("it was stopped", sent=Sent.UNKNOWN))

    def _made(self, found: Any, call: Call) -> _Value:
        """Return the output of a success. What a repeat does not get as it is, the caller is told.

        :raises JackfieldError: if the function raised an exception that is a refusal or leaves a
            doubt.
        """
        declared = self.declared
        if not isinstance(found, Raised):
            output, warning = kept(declared.returns, found, is_repeated=declared.keep)
            if warning is not None:
                call.warn(warning)
                _LOG.warning("invocation %s of '%s': %s", call.invocation_id, self.name, warning)
            return _Value.model_construct(value=output)
        # it is no cause of the other: that loses its frames, and a direct caller gets it as it is
        judged = verdict(self.name, found.error, declared.refusals)
        if judged.sent is Sent.UNKNOWN and self.action.effect != "write":
            raise found.error
        raise judged

    async def called(self, /, *given: Any, **named: Any) -> Any:
        """Call the action's function, and return its value. For a doubt of an earlier call, or with
        time for looks, look for the effect first.
        """
        declared, call = self.declared, self._call_of(given, named)
        bound = declared.function_calls
        waiter = bound.waiter(loops=self._loops)
        while True:
            result, direct = await self._invoked(call)
            known = result
            if result.status == "in_doubt" and (result.meta.replayed or declared.settle):
                key = declared.naming.key(Arguments.of(self._signature, given, named))
                known = await declared.settled(waiter, key, result)
            if known is result or known.status != "failed" or not result.meta.replayed:
                known = await waiter.ask(partial(bound.store.told, known))
                return self._value(known, direct.outcome, is_own=result.status == "failed")

    async def _invoked(self, call: Mapping[str, Any]) -> tuple[Result, _Direct]:
        runtime, direct = self.declared.function_calls.runtime, _Direct()
        invoke: Any = runtime.ainvoke if self._loops else runtime.invoke
        made = invoke(call, wait=True, named=lambda one: _DIRECT.__setitem__(one, direct))
        return (await made if self._loops else made), direct

    def _call_of(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        """Return the invocation of a direct call.

        :raises TypeError: if the function does not take the arguments, or has been declared again
            since.
        """
        if FUNCTIONS[self.name] is not self:
            raise TypeError(
                f"'{self.name}' was declared again since, by {self.declared.place}: with 'effect' "
                "a name has one function"
            )
        arguments = self._signature.bind(*given, **named).arguments
        absent = (None, Parameter.empty)  # where a parameter that is left out is None, too
        inputs = {
            to_camel(name): value
            for name, value in arguments.items()
            if value is not None or self._signature.parameters[name].default not in absent
        }
        known = self.declared.work.context or {}
        context = {name: known[name] for name in known.keys() - {"title", "function"}}
        call = {
            "connector": HOST,
            "action": self.name,
            "inputs": inputs,
            "timeoutSeconds": self.declared.work.seconds,
        }
        return {**call, "context": context} if context else call

    def _value(self, result: Result, made: tuple[Any, ...], *, is_own: bool) -> Any:
        """Return the value of a call that has ended, or raise the exception that ended it.

        :raises InvocationFailed: if it is in doubt, waits for a person, or was refused before the
            function ran.
        """
        error = next((one.error for one in made if isinstance(one, Raised)), None)
        if made and error is None and result.status != "in_doubt":
            return made[0]
        if error is not None and is_own:
            raise error
        if result.status in ("failed", "in_doubt"):
            raise InvocationFailed(result) from error
        result.unwrap()
        return self.declared.recorded(result)


FUNCTIONS: dict[str, Function] = {}
"""Registry of this process's functions with an effect, by name."""


def _declare(function: Function) -> None:
    """Declare a function as an action of the connector ``host``; a module that is imported again
    replaces its earlier declaration.

    :raises TypeError: if another place has declared the name.
    """
    before = FUNCTIONS.get(function.name)
    if before is not None and is_elsewhere(before.declared.place, function.declared.place):
        raise TypeError(
            f"'{function.name}' is declared twice with 'effect': by {before.declared.place} and by "
            f"{function.declared.place}"
        )
    function.edition = 0 if before is None else before.edition + 1
    FUNCTIONS[function.name] = function
    known: list[Function] = []
    while known != [*FUNCTIONS.values()]:  # another thread may declare one meanwhile
        known = [*FUNCTIONS.values()]
        # a version of its own, since caches are keyed by that of the manifest
        version = f"1.{sum(one.edition for one in known)}"
        connector = Connector(HOST, title=_TITLE, version=version, description=_ABOUT)
        connector.actions = {one.name: one.action for one in known}
        raw = {**describe(connector, ()), "actions": [one.row for one in known]}
        manifest = Manifest.from_json({**raw, "key": "own"}).part(key=HOST, raw=raw)
        Catalog.own = (Own(manifest, connector),)
