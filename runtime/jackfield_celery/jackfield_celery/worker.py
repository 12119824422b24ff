"""Celery's worker inside a process of jackfield: jackfield's threads run the tasks, and no message
stops it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from typing import Any

from celery import Celery, Task
from celery.concurrency.base import BasePool, apply_target
from celery.exceptions import InvalidTaskError, Reject
from celery.worker import WorkController, state
from celery.worker.consumer import Consumer as CeleryConsumer
from celery.worker.strategy import default
from kombu import Connection, Message
from kombu.asynchronous import set_event_loop
from kombu.common import ignore_errors

from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.rate_limiter import Lines
from jackfield.kernel.threads import Threads
from jackfield_celery.broker import QUEUE, TASK
from jackfield_celery.control import Control
from jackfield_celery.outbox import Message as Delivery
from jackfield_celery.publisher import read_message
from jackfield_celery.transport import DEAD

_LOG = logging.getLogger("jackfield.queue")
_RETRY = 0.5
"""Seconds between the first two tries to reach the broker; they grow to ``_LONGEST_RETRY``."""
_LONGEST_RETRY = 1.0


class BusyError(Exception):
    """Signal that a delivery cannot be processed here, so that its message returns to the
    broker.
    """


class Pool(BasePool):
    """Threads that run tasks. A process recognises them by name, and can end although an action
    blocks one of them.
    """

    body_can_be_buffer = True
    signal_safe = False

    def on_start(self) -> None:
        """Start the first thread."""
        self._threads: Executor = Threads(self.limit, "jackfield-queue")

    def on_stop(self) -> None:
        """Do nothing: the engine has already waited for running tasks, which may go on."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def on_apply(
        self,
        target: Callable[..., Any],
        args: Any = None,
        kwargs: Any = None,
        callback: Any = None,
        accept_callback: Any = None,
        **_options: Any,
    ) -> Any:
        """Run a task in a thread."""
        future = self._threads.submit(self._apply, target, args, kwargs, callback, accept_callback)
        future.add_done_callback(_log_failure)
        return future

    def _apply(self, *arguments: Any) -> None:
        self.app.set_current()  # of this thread: Celery looks the task up there
        apply_target(*arguments)


def _log_failure(future: Future[None]) -> None:
    """Log a failure of Celery itself; the message stays unacknowledged."""
    error = None if future.cancelled() else future.exception()
    if error is not None:
        _LOG.error("a message could not be worked on: %s", type(error).__name__)


class Consumer(CeleryConsumer):
    """Celery's consumer, which moves unreadable messages to the dead letters, and tries to reach a
    lost broker every second.
    """

    class Blueprint(CeleryConsumer.Blueprint):
        """Celery's steps with a limited remote control, and without queues for delayed delivery:
        the journal delays.
        """

        default_steps = (
            *(
                step
                for step in CeleryConsumer.Blueprint.default_steps
                if not str(step).endswith((":DelayedDelivery", ":Control"))
            ),
            Control,
        )

    def __init__(self, *given: Any, lines: Lines, **named: Any) -> None:
        self._lines = lines
        super().__init__(*given, **named)

    def on_decode_error(self, message: Message, _exc: Exception) -> None:
        """Reject a message that cannot be decoded. Celery would acknowledge it, so that it would be
        lost.
        """
        self._refuse(message)

    def on_unknown_message(self, _body: object, message: Message) -> None:
        """Reject a message that is not a task."""
        self._refuse(message)

    def on_unknown_task(self, _body: object, message: Message, _exc: Exception) -> None:
        """Reject the message of another task."""
        self._refuse(message)

    def on_invalid_task(self, _body: object, message: Message, _exc: Exception) -> None:
        """Reject a message that names no invocation."""
        self._refuse(message)

    def create_task_handler(self, *arguments: Any, **named: Any) -> Callable[[Message], None]:
        """Return Celery's function that receives a message, guarded so that no message makes it
        fail.
        """
        take = super().create_task_handler(*arguments, **named)

        def taken(message: Message) -> None:
            # Celery has tasks of its own, such as celery.map, and would run them
            if message.headers.get("task") != TASK:
                self._refuse(message)
                return
            try:
                take(message)
            except (TypeError, ValueError, KeyError, AttributeError, LookupError):
                self._refuse(message)

        return taken

    def ensure_connected(self, conn: Connection) -> Connection:
        """Connect, with tries at most a second apart, however long the broker is unavailable."""

        def lost(error: Exception, _seconds: float) -> None:
            self._lines.error("the broker is unavailable: %s", type(error).__name__)

        return conn.ensure_connection(
            lost,
            None,
            interval_start=_RETRY,
            interval_step=_RETRY,
            interval_max=_LONGEST_RETRY,
            callback=state.maybe_shutdown,
        )

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Drop the lost connection. Running invocations go on: the journal has their state, and
        ignores their messages on redelivery.
        """
        self._lines.error("the connection to the broker is lost: %s", type(exc).__name__)
        connection: Connection | None = self.connection
        self.connection: Connection | None = None
        if connection is not None:
            ignore_errors(connection, connection.collect)
            ignore_errors(connection, connection.close)

    def _refuse(self, message: Message) -> None:
        try:
            message.reject()
        except self.connection_errors as error:
            self._lines.error(
                "an unreadable message could not be moved to the broker's queue '%s': %s",
                DEAD,
                type(error).__name__,
            )
        else:
            _LOG.error("an unreadable message was moved to the broker's queue '%s'", DEAD)


_NEVER_SENT = ("eta", "expires", "shadow")
"""Headers that delay or drop an invocation, or that give its task another name; Celery caches each
such name.
"""


def _strategy(task: Task, app: Celery, consumer: CeleryConsumer) -> Callable[..., Any]:
    """Return Celery's strategy for a task, which runs only messages that name an invocation."""
    handle = default(task, app, consumer)

    def received(message: Message, body: object, *rest: Any, **named: Any) -> Any:
        if (
            body is not None
            or read_message(message.payload) is None
            or any(message.headers.get(name) for name in _NEVER_SENT)
        ):
            raise InvalidTaskError("the message names no invocation")
        return handle(message, body, *rest, **named)

    return received


class Worker(ProcessLocal):
    """Celery worker in a thread of its own. ``deliver`` gets each delivery in one of ``slots``
    threads and returns when the delivery is finished.

    A message is acknowledged after ``deliver`` has returned; it returns to the broker if
    ``deliver`` raises BusyError, or the process ends.
    """

    def __init__(
        self, app: Celery, name: str, slots: int, deliver: Callable[[Delivery], None], lines: Lines
    ) -> None:
        def run(workspace: str, identifier: str) -> None:
            try:
                deliver((workspace, identifier))
            except BusyError:
                raise Reject(requeue=True) from None

        app.task(
            run,
            name=TASK,
            Strategy=f"{__name__}:_strategy",
            acks_late=True,
            ignore_result=True,
            shared=False,
            lazy=False,
        )
        self._app = app
        self._name = name
        self._slots = slots
        self._lines = lines
        self._controller: WorkController | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start consuming."""
        self._app.amqp.queues.select([QUEUE])
        controller = self._controller = self._new_controller()
        self._thread = threading.Thread(
            target=self._consume, args=(controller,), name="celery-consumer", daemon=True
        )
        self._thread.start()

    def _consume(self, controller: WorkController) -> None:
        """Run Celery's worker, and restart it if it ends by itself: a process that receives no
        messages would seem to work.
        """
        while not self._stopped.is_set():
            controller.start()
            if not self._stopped.wait(_LONGEST_RETRY):
                self._lines.error("Celery's worker ended by itself and is started again")
                controller = self._controller = self._new_controller()

    def _new_controller(self) -> WorkController:
        state.should_stop = state.should_terminate = None
        set_event_loop(None)
        return self._app.WorkController(
            app=self._app,
            hostname=self._name,
            concurrency=self._slots,
            pool_cls=Pool,
            consumer_cls=partial(Consumer, lines=self._lines),
            queues=[QUEUE],
            without_gossip=True,
            without_mingle=True,
        )

    def pause(self) -> None:
        """Receive no further messages."""
        self._stopped.set()
        consumer = getattr(self._controller, "consumer", None)
        if consumer is not None:
            consumer.call_soon(_cancel, consumer)

    def stop(self, within: float) -> None:
        """Disconnect: unacknowledged messages return to the broker."""
        self._stopped.set()
        consumer = getattr(self._controller, "consumer", None)
        state.should_stop = 0
        if consumer is not None:
            consumer.call_soon(_nothing)
        if self._thread is not None:
            self._thread.join(within)
            if not self._thread.is_alive():
                state.should_stop = None


def _cancel(consumer: CeleryConsumer) -> None:
    # the connection may be lost
    with suppress(*consumer.connection_errors, *consumer.channel_errors, OSError, AttributeError):
        consumer.cancel_task_queue(QUEUE)


def _nothing() -> None:
    """Do nothing, in the consumer's loop, which then reads the request to stop."""
