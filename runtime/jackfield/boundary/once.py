"""``once``: a function or a block whose effect happens once for a key. If nobody knows whether the
effect happened, the call is in doubt.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from jackfield.boundary.intents import Named, Naming, key_in_journal, key_of
from jackfield.boundary.looks import DECLARED, Declaration, functions
from jackfield.boundary.values import verdict
from jackfield.call.how import How
from jackfield.call.waiter import run_in_thread
from jackfield.call.work import Work
from jackfield.callers.caller import LIBRARY
from jackfield.invocation.entry import is_elsewhere
from jackfield.invocation.result import InvocationFailed, Result, Status
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import (
    InDoubt,
    InvalidInput,
    JackfieldError,
    Sent,
    TimedOut,
    Unavailable,
)
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.frames import bordered
from jackfield.kernel.functions import (
    Arguments,
    generates,
    is_async,
    is_entered_by_contextlib,
    origin,
    place_of,
)
from jackfield.kernel.hints import NextStep
from jackfield.kernel.interrupts import interrupt
from jackfield.manifest.reading import HOST
from jackfield.schema.python_objects import encoded
from jackfield.schema.python_types import ReturnType, unfulfilled

if TYPE_CHECKING:
    from jackfield.boundary.bound import Runtime
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
class once(Declaration):  # noqa: N801 (a decorator and a context manager, used like a function)
    """Make a call once for a key, which is remembered for 30 days (``keep_for``, in seconds); after
    that the key is free. Without ``look`` a doubt waits for a person.

    As a decorator: if the function has run before, it does not run again, and the caller gets the
    recorded value. ``with once(…) as call`` is for code that cannot be a function: it calls
    ``call.sending()`` before the effect, and sets ``call.value`` after it. In ``async with`` it
    awaits ``call.asending()``.

    Before ``sending`` nothing is recorded. Exceptions listed in ``refusals`` prove that nothing
    took effect: after ``sending``, and before ``call.value`` is set, only they free the key. Any
    other exception, also a timeout, leaves a doubt: the call and its repeats raise
    ``InvocationFailed`` from it. So does a value that is yet to be made, such as a future.

    - ``name``: name of the function in the journal.
    - ``key``: the name of the intent, such as an order's ID: a value, or for the decorator a
      function of the arguments, by their names or in their order. It must be the same after a
      restart.
    - ``effect``: ``read``, ``idempotent`` or ``write``. A function whose arguments have types
      becomes an action of the connector ``host``, and its calls, direct ones too, are calls of this
      action. Only a ``write`` needs a ``key``.
    - ``refusals``: a class of exceptions, or several.
    - ``look``: function of the key, a string, that returns the value, ``ABSENT`` or ``UNKNOWN``. It
      settles a doubt, within 30 seconds. ``ABSENT`` counts only ``absent_after`` seconds after the
      function has ended, when the provider must know of the effect. None counts as a value only if
      the function's annotation says that it returns None.
    - ``settle``: seconds for which a call in doubt looks before it raises. Default: only the next
      call looks.
    - ``keep``: False to record a digest of the value, and answer repeats with None.
    - ``about``: values that must be equal when the key is; for the decorator a function of the
      arguments. Default: all arguments that have not their default, without ``self``.
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
        refusals: type[Exception] | tuple[type[Exception], ...] = (),
        look: Callable[[str], Any] | None = None,
        absent_after: float = 60.0,
        settle: float = 0.0,
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
        is_name = name.isascii() and name.replace("-", "_").replace(".", "_").isidentifier()
        for is_right, text in (
            (
                is_name and len(name) <= _NAME,
                f"the name is {name[:80]!r}, and must have at most {_NAME} letters, digits, '-_.'",
            ),
            (
                0 < keep_for <= _LONGEST,
                f"'keep_for' is {keep_for!r}, and must be more than 0 and at most a year",
            ),
            (not settle or look, "'settle' is a time for looks, and there is no 'look'"),
        ):
            if not is_right:
                raise ValueError(text)
        self.refusals = (refusals,) if isinstance(refusals, type) else tuple(refusals)
        given: tuple[object, ...] = self.refusals
        if not all(isinstance(one, type) and issubclass(one, BaseException) for one in given):
            raise TypeError("'refusals' are classes of exceptions")
        titled = {} if title is None else {"title": title[:_TITLE]}
        self.work = Work(
            HOST, name, seconds=timeout, context={**(context or {}), **titled}, kept_for=keep_for
        )
        self.name = name
        self.key = key
        self.about = about
        self.effect = effect
        self.look = look
        self.absent_after = absent_after
        self.settle = settle
        self.keep = keep
        self.runtime = runtime
        self.returns = ReturnType()
        self._block: OnceCall | None = None

    def __call__(self, function: F) -> F:
        """Return the function that runs once for a key.

        :raises TypeError: for a generator function, and others whose value is made after they have
            returned; for a key that is not a function of the arguments.
        """
        keyless = self.key is None and self.effect in ("read", "idempotent")
        if not (callable(self.key) or keyless) or not (self.about is None or callable(self.about)):
            raise TypeError(
                f"'{self.name}': of a function, 'key' and 'about' are functions of its "
                f"arguments: @once({_EXAMPLE})"
            )
        loops, self.returns = is_async(function), ReturnType(origin(function))
        if generates(function) or self.returns.is_pending:
            raise TypeError(
                f"'{self.name}' returns what is made after it has returned, as a generator: 'once' "
                "takes functions and coroutine functions that do their work first"
            )
        self.naming = Naming(self.name, function, self.key, self.about)
        self._declare(function)
        if self.effect is not None:
            from jackfield.boundary.actions import Function  # which imports models and the catalog

            body = Function(self, function, loops=loops).called
        else:
            body = self._body(function, loops=loops)
        made = body if loops else lambda *given, **named: run_in_thread(body(*given, **named))
        return wraps(function)(bordered(made))  # type: ignore[return-value]

    def _declare(self, function: Callable[..., Any]) -> None:
        """Register the function. Warn if another one has its name, which answers its calls."""
        self.place, words = place_of(function), (origin(function).__doc__ or "").strip()
        title = {"title": words.partition("\n")[0][:_TITLE]} if words else {}
        context = {**title, **(self.work.context or {}), "function": self.place}
        self.work = replace(self.work, context=context)
        for other in functions(looking=False):
            is_twin = (other.name, other.runtime) == (self.name, self.runtime)
            if (
                is_twin
                and is_elsewhere(other.place, self.place)
                and not (other.effect and self.effect)
            ):
                warnings.warn(
                    f"'{self.name}' names two functions, of {other.place} and of {self.place}: "
                    "each answers calls of the other. Rename one; a later version refuses them.",
                    FutureWarning,
                    stacklevel=3,
                )
        DECLARED[self] = None

    def _body(self, function: Callable[..., Any], *, loops: bool) -> Callable[..., Any]:
        async def body(*given: Any, **named: Any) -> Any:
            arguments = Arguments.of(self.naming.signature, given, named)
            call = OnceCall(self, partial(self.naming.named, arguments))
            async with call:
                await call.begin(loops=loops)
                made = function(*given, **named)
                call.value = await made if loops else made
            return call.value

        return body

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
        self._block = OnceCall(
            self, lambda: (key_of(self.name, self.key), encoded(self.about), None)
        )
        return self._block

    __enter__ = _opened

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return run_in_thread(self.__aexit__(kind, error, trace))

    async def __aenter__(self) -> OnceCall:
        return self._opened()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if self._block is None:
            raise TypeError(f"'{self.name}' ends a block that was not entered")
        return await self._block.__aexit__(kind, error, trace)


@bordered
class OnceCall:
    """One call of a block. ``value`` is the call's value, ``result`` its Result once it has ended;
    ``replayed`` is true if an earlier call made the value.
    """

    def __init__(self, declared: once, named: Callable[[], Named]) -> None:
        self._declared, self._bound = declared, declared.function_calls
        self._value: Any = None
        self._has_value = self._sent = False
        self.result: Result | None = None
        try:
            self._key, request, formerly = named()
        except InvalidInput as error:
            error.hint = error.hint or "Say with 'about' what must be equal if the key is, as JSON."
            self._refuse(error, How(self._bound.waiter(loops=False), LIBRARY))
        self._work = replace(
            declared.work,
            key=key_in_journal(declared.name, self._key),
            request=request,
            formerly=formerly,
        )

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
        self._value, self._has_value = value, True

    def sending(self) -> None:
        """Record that from here on the call may take effect. If an earlier call with the key did,
        the block ends here.

        :raises InvocationFailed: if the earlier call is in doubt, or this call cannot begin.
        """
        run_in_thread(self.begin(loops=False))

    async def asending(self) -> None:
        """Record in asyncio that from here on the call may take effect."""
        await self.begin(loops=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """End the call, and record its outcome.

        :raises InvocationFailed: if an exception leaves a doubt.
        :raises RuntimeError: if the block has not called ``sending``.
        """
        if self._sent:
            try:
                return await self._ended(error)
            finally:
                self._bound.calls.end(self._row.call)
        if error is None:
            raise RuntimeError(
                f"'{self._declared.name}' ended without sending(): nothing keeps it from happening "
                "twice. Call it before what is to happen once: 'with once(…) as call: "
                "call.sending(); …'"
            )

        def is_end(one: BaseException) -> bool:
            return isinstance(one, _DoneBefore) and one.args[0] is self

        rest = error.split(is_end)[1] if isinstance(error, BaseExceptionGroup) else error
        if rest is error and not is_end(error):
            return False
        if rest is not None and rest is not error:
            raise rest
        if is_entered_by_contextlib("jackfield."):
            raise RuntimeError(
                f"'{self._declared.name}' was done before, and a 'contextmanager' around its block "
                "cannot skip its body: call sending() in the body, after the 'yield'"
            )
        return True

    async def begin(self, *, loops: bool) -> None:
        """Begin, unless an earlier call with the key answers this one. If the earlier call is in
        doubt, look for its effect first.

        :raises InvocationFailed: if it is in doubt, or this call cannot begin.
        :raises _DoneBefore: if the earlier call has made the value.
        """
        known, waiter = self.result, self._bound.waiter(loops=loops)
        self._bound.calls.check()
        while known is None and not self._sent:
            self._how = How(waiter, LIBRARY, wait=True, settles=True)
            known = await self._begun(self._how)
            self._sent = known is None
            if known is not None and known.status == "in_doubt":
                known = await self._declared.settled(waiter, self._key, known)
                known = None if known.status == "failed" else known  # a look has freed the key
        if known is None:
            return
        self.result = known = await waiter.ask(partial(self._bound.store.told, known))
        if known.status != "succeeded":
            raise InvocationFailed(known)
        self._value = self._declared.recorded(known)
        raise _DoneBefore(self)

    async def _begun(self, how: How) -> Result | None:
        """Begin, and return None, or return the Result of the earlier call with the key."""
        try:
            row = self._row = self._bound.store.row(how, self._work)
        except (TimedOut, Unavailable) as error:  # the database is opened by the first call
            self._refuse(error, how)
        self._bound.calls.begin(row.call)
        with OnFailure(self._bound.calls.end, row.call):
            try:
                known = await row.begin()
            except JackfieldError as error:
                self._refuse(error, how)
        if known is not None:
            self._bound.calls.end(row.call)
        return known

    def _refuse(self, error: JackfieldError, how: How) -> NoReturn:
        """Raise the failure of a call that did not begin."""
        how.meta.connector, how.meta.action = HOST, self._declared.name
        self.result = _ended(how, error, 0)
        raise InvocationFailed(self.result) from error

    async def _ended(self, error: BaseException | None) -> bool:
        """Record the outcome of the call. Return True if a look has found the value although there
        was an exception.
        """
        declared, how = self._declared, self._how
        raised = error
        if error is None:
            error = unfulfilled(self._value)
        if error is None:
            output, warning = declared.output(
                self._value, self._bound.store.digest, is_repeated=True
            )
            self.result = Result("succeeded", how.ended(1), output=output)
            if warning is not None:
                declared.warn(self.result, warning)
            await self._row.end(self.result)
            return False
        judged = verdict(declared.name, error, () if self._has_value else declared.refusals)
        if judged.sent is Sent.UNKNOWN:
            judged = InDoubt(
                f"'{declared.name}' may have taken effect: {judged.message}",
                hint=NextStep("resolve", id=how.meta.invocation_id),
                provider=judged.provider,
                sent=Sent.UNKNOWN,
            )
        self.result = _ended(how, judged)
        if not isinstance(error, Exception) or interrupt(error):
            self._row.interrupt(self.result)
            return False
        await self._row.end(self.result)
        if self.result.status == "failed":
            if raised is None:
                raise error
            return False
        if declared.settle:
            self.result = await declared.settled(how.waiter, self._key, self.result)
            self.result.meta.replayed = False
        self.result = await how.waiter.ask(partial(self._bound.store.told, self.result))
        if self.result.status != "succeeded":
            raise InvocationFailed(self.result) from error
        self._value = declared.recorded(self.result)
        return True


def _ended(how: How, error: JackfieldError, attempts: int = 1) -> Result:
    status: Status = "in_doubt" if isinstance(error, InDoubt) else "failed"
    return Result(status, how.ended(attempts), error=error)
