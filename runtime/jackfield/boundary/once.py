"""``once``: a function or a block whose effect happens once for a key. If nobody knows whether the
effect happened, the call is in doubt.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial, wraps
from inspect import Signature, signature
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from jackfield.boundary.bound import environment
from jackfield.boundary.looks import LOOKING, FunctionLook
from jackfield.boundary.values import (
    decoded,
    encoded,
    is_async,
    key_of,
    refusal,
    request_of,
    unrecorded,
)
from jackfield.call.how import How
from jackfield.call.waiter import run_in_thread
from jackfield.call.work import Work
from jackfield.callers.caller import LIBRARY
from jackfield.invocation.result import InvocationFailed, Result
from jackfield.kernel.clock import within
from jackfield.kernel.errors import (
    Cancelled,
    InDoubt,
    InvalidInput,
    JackfieldError,
    Rejected,
    Sent,
    TimedOut,
    Unavailable,
)
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.frames import bordered
from jackfield.kernel.hints import NextStep
from jackfield.kernel.interrupts import interrupt
from jackfield.manifest.reading import HOST

if TYPE_CHECKING:
    from jackfield.boundary.bound import Bound, Runtime
    from jackfield.call.waiter import Waiter
    from jackfield.call.work import WorkRow
    from jackfield.kernel.clock import Deadline
    from jackfield.manifest.manifest import Effect

F = TypeVar("F", bound=Callable[..., Any])

_LOG = logging.getLogger("jackfield.once")
_DAY = 86_400.0
_LONGEST = 365 * _DAY
_NAME, _TITLE = 64, 200
_EXAMPLE = '"charge", key=lambda order: order.id'


class _DoneBefore(BaseException):
    """Exception that leaves the block of a call that was made before; the end of the block
    suppresses it.
    """


@bordered
class once:  # noqa: N801 (a decorator and a context manager, used like a function)
    """Make a call once for a key, which is remembered for 30 days (``keep_for``, in seconds); after
    that the key is free. Without ``look`` a doubt waits for a person.

    As a decorator: if the function has run before, it does not run again, and the caller gets the
    recorded value. ``with once(…) as call`` is for code that cannot be a function: it calls
    ``call.sending()`` before the effect, and sets ``call.value`` after it. In ``async with`` it
    awaits ``call.asending()``.

    Before ``sending`` nothing is recorded. Exceptions listed in ``refusals`` prove that nothing
    took effect: after ``sending``, only they free the key. Any other exception, also a timeout,
    leaves a doubt: the call and its repeats raise ``InvocationFailed`` from it.

    - ``name``: name of the function in the journal.
    - ``key``: the name of the intent, such as an order's ID: a value, or for the decorator a
      function of the arguments. It must be the same after a restart.
    - ``effect``: ``read``, ``idempotent`` or ``write``. A function whose arguments have types
      becomes an action of the connector ``host``, and its calls, direct ones too, are calls of this
      action. Only a ``write`` needs a ``key``.
    - ``look``: function of the key, a string, that returns the value, ``ABSENT`` or ``UNKNOWN``. It
      settles a doubt. ``ABSENT`` counts only after ``absent_after`` seconds, when the provider must
      know of the effect. None counts as a value only if the function's annotation says that it
      returns None.
    - ``keep``: False to record a digest of the value, and answer repeats with None.
    - ``about``: values that must be equal when the key is; for the decorator a function of the
      arguments. Default: all arguments.
    - ``timeout``: seconds for which a call waits for a running call with the same key.
    - ``title``: words for people. Default: the first line of the function's docstring.
    - ``context``: the ``context`` of an invocation (``correlationId``, ``labels``, ``notify``).
    - ``runtime``: the ``Jackfield`` that records. Default: the environment's.
    """

    def __init__(
        self,
        name: str,
        *,
        key: Any = None,
        effect: Effect | None = None,
        refusals: tuple[type[Exception], ...] = (),
        look: Callable[[str], Any] | None = None,
        absent_after: float = 60.0,
        keep: bool = True,
        keep_for: float = 30 * _DAY,
        about: Any = None,
        timeout: float = 60.0,
        title: str | None = None,
        context: Mapping[str, Any] | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        if not isinstance(name, str):
            raise TypeError(
                f"'once' takes a name first, not {type(name).__name__}: @once({_EXAMPLE})"
            )
        if not (
            0 < len(name) <= _NAME
            and name.isascii()
            and name.replace("-", "_").replace(".", "_").isidentifier()
        ):
            raise ValueError(
                f"the name is {name[:80]!r}, and must have letters, digits, '-', '_' and '.', at "
                f"most {_NAME} of them"
            )
        if not 0 < keep_for <= _LONGEST:
            raise ValueError(
                f"'keep_for' is {keep_for!r}, and must be more than 0 and at most {_LONGEST:.0f} "
                "seconds (a year)"
            )
        self.name, self.look = (
            name,
            FunctionLook(
                name, look, absent_after, runtime, keeps=keep, is_action=effect is not None
            ),
        )
        self.refusals, self.keep, self.keep_for, self.timeout = (
            tuple(refusals),
            keep,
            keep_for,
            timeout,
        )
        self.key, self.effect, self.about, self._runtime = key, effect, about, runtime
        self.context: dict[str, Any] = dict(context or {})
        if title is not None:
            self.context["title"] = title[:_TITLE]
        self._block: OnceCall | None = None
        self._signature = Signature()
        self.returns: Callable[[Any], Any] = _as_it_is

    @property
    def function_calls(self) -> Bound:
        """Return the runtime that records calls of the function."""
        return self.look.function_calls

    @property
    def pages(self) -> Runtime:
        """Runtime that runs calls with an effect."""
        return environment().runtime if self._runtime is None else self._runtime

    async def looked_up(
        self, bound: Bound, waiter: Waiter, deadline: Deadline, key: str, known: Result
    ) -> Result:
        """Look for the effect of a call in doubt; return its settled Result, or ``known`` if no
        look is declared.
        """
        if not self.look.is_declared:
            return known
        found = await self.look.made(key, waiter, deadline, bound.store.digest)
        return await waiter.ask(partial(bound.store.looked, known.meta.invocation_id, found))

    def __call__(self, function: F) -> F:
        """Return the function that runs once for a key.

        :raises TypeError: for a generator function, or a key that is not a function of the
            arguments.
        """
        keyless = self.key is None and self.effect in ("read", "idempotent")
        if not (callable(self.key) or keyless) or not (self.about is None or callable(self.about)):
            raise TypeError(
                f"'{self.name}': of a function, 'key' and 'about' are functions of its "
                f"arguments: @once({_EXAMPLE})"
            )
        loops, self._signature = is_async(function), signature(function)
        self.returns, self.look.function = partial(decoded, function), function
        if function.__doc__:
            self.context.setdefault("title", function.__doc__.strip().partition("\n")[0][:_TITLE])
        if self.look.is_declared:
            LOOKING[self.look] = None
        if self.effect is not None:
            from jackfield.boundary.actions import Function  # which imports models and the catalog

            action = Function(self, function, loops=loops)
            made = action.acalled if loops else action.called
        else:
            made = self._acalled(function) if loops else self._called(function)
        return wraps(function)(bordered(made))  # type: ignore[return-value]

    def _called(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            call = self._call_of(given, named)
            with call:
                call.sending()
                call.value = function(*given, **named)
            return call.value

        return called

    def _acalled(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def acalled(*given: Any, **named: Any) -> Any:
            call = self._call_of(given, named)
            async with call:
                await call.asending()
                call.value = await function(*given, **named)
            return call.value

        return acalled

    def _call_of(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> OnceCall:
        about = (
            request_of(self._signature, given, named)
            if self.about is None
            else self.about(*given, **named)
        )
        return OnceCall(self, self.key(*given, **named), about)

    def _opened(self) -> OnceCall:
        if callable(self.key) or self.effect is not None:
            raise TypeError(
                f"'{self.name}' is no block: its key is a function, or it has an effect, so that "
                "it decorates one"
            )
        if self._block is not None:
            raise TypeError(
                f"'{self.name}' is no block: its block was entered before: make a new one"
            )
        self._block = OnceCall(self, self.key, self.about)
        return self._block

    def __enter__(self) -> OnceCall:
        return self._opened().__enter__()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return self._block is not None and self._block.__exit__(kind, error, trace)

    async def __aenter__(self) -> OnceCall:
        return await self._opened().__aenter__()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return self._block is not None and await self._block.__aexit__(kind, error, trace)


@bordered
class OnceCall:
    """One call of a block. ``value`` is the call's value, ``result`` its Result once it has ended;
    ``replayed`` is true if an earlier call made the value.
    """

    def __init__(self, declared: once, key: object, about: Any) -> None:
        self._declared, self._bound, self._value, self._sent = (
            declared,
            declared.function_calls,
            None,
            False,
        )
        self.result: Result | None = None
        try:
            self._key = key_of(declared.name, key)
            request = encoded(about)
        except InvalidInput as error:
            error.hint = (
                error.hint
                or "Say with 'about' what of the arguments must be equal if the key is, as JSON."
            )
            self._refuse(error)
        self._work = Work(
            HOST,
            declared.name,
            f"{HOST}/{declared.name}/{self._key}",
            request,
            seconds=declared.timeout,
            context=declared.context or None,
            kept_for=declared.keep_for,
        )
        self._row: WorkRow
        self._how: How

    @property
    def replayed(self) -> bool:
        """True if an earlier call with the key has made the value."""
        return self.result is not None and self.result.meta.replayed

    @property
    def value(self) -> Any:
        """Value of the call. A program sets it after ``sending``."""
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        if not self._sent:
            raise RuntimeError(
                f"'{self._declared.name}' sets a value before it calls sending(): nothing would "
                "keep it from happening twice"
            )
        self._value = value

    def sending(self) -> None:
        """Record that from here on the call may take effect. If an earlier call with the key did,
        the block ends here.

        :raises InvocationFailed: if the earlier call is in doubt, or this call cannot begin.
        """
        run_in_thread(self._begin(self._bound.waiter(loops=False)))

    async def asending(self) -> None:
        """Record in asyncio that from here on the call may take effect."""
        await self._begin(self._bound.waiter(loops=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return run_in_thread(self._end(error))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return await self._end(error)

    async def _begin(self, waiter: Waiter) -> None:
        """Begin, unless an earlier call with the key answers this one. If the earlier call is in
        doubt, look for its effect first.

        :raises InvocationFailed: if it is in doubt, or this call cannot begin.
        :raises _DoneBefore: if the earlier call has made the value.
        """
        known = self.result
        self._bound.calls.check()
        while known is None and not self._sent:
            how = self._how = How(waiter, LIBRARY, wait=True, settles=True)
            try:
                row, has_begun = self._bound.store.row(how, self._work), False
            except (TimedOut, Unavailable) as error:  # the database is opened by the first call
                self._refuse(error, how)
            self._row = row
            self._bound.calls.begin(row.call)
            try:
                with within(self._declared.timeout):
                    known = await self._begun(row)
                self._sent = has_begun = known is None
            finally:
                if not has_begun:
                    self._bound.calls.end(row.call)
            if known is not None and known.status == "in_doubt":
                known = await self._declared.looked_up(
                    self._bound, waiter, self._how.deadline, self._key, known
                )
                if known.status == "failed":
                    known = None  # the look has freed the key
        if known is None:
            return
        self.result = known = await self._result_with_looks(known)
        if known.status != "succeeded":
            raise InvocationFailed(known)
        output = known.output or {}
        self._value = self._declared.returns(output["value"]) if "value" in output else None
        raise _DoneBefore

    async def _begun(self, row: WorkRow) -> Result | None:
        is_over = False
        try:
            found = await row.begin()
            is_over = True
        except JackfieldError as error:
            is_over = True
            self._refuse(error, self._how)
        finally:
            if not is_over:
                row.interrupt(
                    _ended(self._how, Cancelled("the caller has left before anything was sent"), 0)
                )
        return found

    def _refuse(self, error: JackfieldError, how: How | None = None) -> NoReturn:
        """Raise the failure of a call that did not begin."""
        declared = self._declared
        how = How(declared.function_calls.waiter(loops=False), LIBRARY) if how is None else how
        how.meta.connector, how.meta.action = HOST, declared.name
        self.result = _ended(how, error, 0)
        raise InvocationFailed(self.result) from error

    async def _result_with_looks(self, result: Result) -> Result:
        """Return a Result. To the Result of a doubt, add that processes look for evidence, if they
        do.
        """
        if result.status != "in_doubt" or self._declared.look not in LOOKING:
            return result
        return await self._how.waiter.ask(partial(self._bound.store.told, result))

    async def _end(self, error: BaseException | None) -> bool:
        """Record the outcome of the call.

        :raises InvocationFailed: if an exception leaves a doubt.
        :raises RuntimeError: if the block has not called ``sending``.
        """
        if not self._sent:
            if error is None:
                text = (
                    f"'{self._declared.name}' ended without sending(): nothing keeps it from "
                    "happening twice"
                )
                raise RuntimeError(
                    f"{text}. Call it before what is to happen once: 'with once(…) as call: "
                    "call.sending(); …'"
                )
            return isinstance(error, _DoneBefore)
        try:
            return await self._ended(error)
        finally:
            self._bound.calls.end(self._row.call)

    async def _ended(self, error: BaseException | None) -> bool:
        declared, how = self._declared, self._how
        if error is None:
            self.result = _succeeded(how, *self._kept())
            await self._row.end(self.result)
            return False
        kind = type(error).__name__
        if isinstance(error, declared.refusals):
            self.result = _ended(how, Rejected(refusal(declared.name, error), sent=Sent.REFUSED))
        else:
            hint = NextStep("resolve", id=how.meta.invocation_id)
            self.result = _ended(
                how,
                InDoubt(
                    f"'{declared.name}' may have taken effect: {kind}", hint=hint, sent=Sent.UNKNOWN
                ),
            )
        if not isinstance(error, Exception) or interrupt(error):
            self._row.interrupt(self.result)
            return False
        await self._row.end(self.result)
        if self.result.status == "in_doubt":
            self.result = await self._result_with_looks(self.result)
            raise InvocationFailed(self.result) from error
        return False

    def _kept(self) -> tuple[Mapping[str, Any] | None, str | None]:
        """Return the recorded form of the value, or the reason why it cannot be recorded."""
        found = attempt(self._declared.look.output, self._value, self._bound.store.digest)
        return (None, unrecorded(found.error)) if isinstance(found, Raised) else (found, None)


def _as_it_is(value: Any) -> Any:
    return value


def _ended(how: How, error: JackfieldError, attempts: int = 1) -> Result:
    return Result(
        "in_doubt" if isinstance(error, InDoubt) else "failed", how.ended(attempts), error=error
    )


def _succeeded(how: How, output: Mapping[str, Any] | None, warning: str | None) -> Result:
    found = Result("succeeded", how.ended(1), output=output)
    if warning is not None:
        _LOG.warning(
            "invocation %s of '%s': %s", found.meta.invocation_id, found.meta.action, warning
        )
        found.meta.warnings = ({"path": "", "message": warning},)
    return found
