"""What an author declares: actions stay plain functions, and what cannot be is refused at once."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import ValidationError

import jackfield.connector
from jackfield.connector import (
    Account,
    Call,
    ConnectionType,
    Connector,
    DeclarationError,
    Detail,
    Field,
    Inputs,
    Listed,
    Minted,
    OpenContext,
    Option,
    Output,
    Step,
    current_call,
    describe,
)
from jackfield.connector.context import entered
from jackfield.kernel.clock import Deadline, SystemClock
from jackfield.kernel.errors import Cancelled, TimedOut


class Ask(Inputs):
    """A question."""

    text: str
    loud_voice: bool = False


class Answer(Output):
    """An answer."""

    message_id: str = Field(alias="MessageId")


class Door(ConnectionType):
    """A door."""

    key = "door"
    title = "Door"

    secret: str = Field(secret=True)

    def open(self, context: OpenContext) -> str:
        """The client is a text."""
        return f"open {context.connector}"


class Bare(ConnectionType):
    """Nothing to open."""

    key = "bare"
    title = "Bare"


@pytest.fixture
def connector() -> Connector:
    """A connector without actions."""
    return Connector("talk", title="Talk", version="1.0.0", connections=[Door])


def refused(connector: Connector, function: Any, **more: Any) -> str:
    """The message with which a declaration is refused; nothing is declared then."""
    before = dict(connector.actions)
    with pytest.raises(DeclarationError) as caught:
        connector.action(more.pop("key", "ask"), **more)(function)
    assert connector.actions == before
    return str(caught.value)


def test_an_action_stays_a_plain_function(connector: Connector) -> None:
    """The decorator gives the function back as it was, so that tests call it directly."""

    def ask(question: Ask, client: str) -> Answer:
        """Ask somebody."""
        return Answer(message_id=f"{client}: {question.text}")

    declared = connector.action("askSomebody", effect="read", permissions={"talk": ("ask",)})(ask)
    assert declared is ask
    assert declared(Ask(text="hi"), "x").model_dump() == {"MessageId": "x: hi"}
    action = connector.actions["askSomebody"]
    assert (action.inputs, action.output, action.takes_client, action.is_async) == (
        Ask,
        Answer,
        True,
        False,
    )
    assert (action.title, action.description, action.effect) == (
        "Ask Somebody",
        "Ask somebody.",
        "read",
    )


def test_an_undeclared_effect_is_write(connector: Connector) -> None:
    """Whoever does not say what an action does to the world gets the most careful rule."""

    @connector.action("ask")
    def ask(_question: Ask) -> Answer:
        return Answer(message_id="1")

    assert connector.actions["ask"].effect == "write"
    assert not connector.actions["ask"].takes_client


def test_async_actions_are_known_as_such(connector: Connector) -> None:
    """An ``async def`` is declared the same way, and stays one."""

    @connector.action("ask", effect="read")
    async def ask(question: Ask) -> Answer:
        await asyncio.sleep(0)
        return Answer(message_id=question.text)

    assert connector.actions["ask"].is_async
    assert asyncio.run(ask(Ask(text="later"))).message_id == "later"


def test_signatures_that_cannot_be(connector: Connector) -> None:
    """The first parameter is an Inputs, the second the client, what comes back an Output; anything
    else is told.
    """

    def none() -> Answer: ...  # type: ignore[empty-body]
    def three(a: Ask, b: str, c: str) -> Answer: ...  # type: ignore[empty-body]
    def loose(a: str) -> Answer: ...  # type: ignore[empty-body]
    def bare(a) -> Answer: ...  # type: ignore[no-untyped-def, empty-body]  # noqa: ANN001 (that is the fault)
    def nothing(a: Ask) -> None: ...
    def text(a: Ask) -> str: ...  # type: ignore[empty-body]

    reasons: dict[Any, str] = {
        **dict.fromkeys((none, three), " must take its inputs, and the client if it needs one"),
        **dict.fromkeys(
            (loose, bare), ": the first parameter must be annotated with an Inputs model"
        ),
        **dict.fromkeys(
            (nothing, text), ": the return value must be annotated with an Output model"
        ),
    }
    assert {function: refused(connector, function) for function in reasons} == {
        function: f"action 'ask'{reason}" for function, reason in reasons.items()
    }


def test_an_annotation_that_is_not_defined(connector: Connector) -> None:
    """A name that the module of the action does not know is told."""

    def unknown(a: NotThere) -> Answer: ...  # type: ignore[name-defined, empty-body]  # noqa: F821 (that is the fault)

    assert (
        refused(connector, unknown)
        == "action 'ask': the annotation 'NotThere' is not defined in its module"
    )


def test_keys_and_effects_that_cannot_be(connector: Connector) -> None:
    """A key is declared once, an effect is one of three, and two connection types do not share a
    key.
    """

    def ask(_question: Ask) -> Answer: ...  # type: ignore[empty-body]

    assert "effect must be one of read, idempotent, write" in refused(
        connector, ask, effect="delete"
    )
    connector.action("ask")(ask)
    assert refused(connector, ask) == "action 'ask' is declared twice"
    with pytest.raises(DeclarationError, match="two connection types with the same key"):
        Connector("talk", title="Talk", version="1", connections=[Door, Door])


def test_the_types_of_a_list_that_is_compared_are_three(connector: Connector) -> None:
    """They are named after the key unless the author names them; fewer or more are refused."""

    class Shelf(Output):
        """A shelf."""

    def read(_inputs: Inputs, _client: str, _after: int | None) -> Listed:
        return Listed([])

    connector.diff_poll("shelves", item=Shelf)(read)
    connector.diff_poll("boards", item=Shelf, types=("hung", "moved", "gone"))(read)
    assert connector.triggers["shelves"].types == (
        "shelvesCreated",
        "shelvesUpdated",
        "shelvesDeleted",
    )
    assert connector.triggers["boards"].types == ("hung", "moved", "gone")
    for types in (("hung", "moved"), ("hung", "moved", "moved")):
        with pytest.raises(
            DeclarationError,
            match="'types' must name three: of what was created, updated and deleted",
        ):
            connector.diff_poll("more", item=Shelf, types=types)


def test_a_pace_by_something_that_is_no_input(connector: Connector) -> None:
    """A misspelt input would leave calls unpaced in silence, so it is refused; names are those of
    the JSON.
    """

    def ask(_question: Ask) -> Answer: ...  # type: ignore[empty-body]

    with pytest.raises(DeclarationError, match="'ask': pace_by names 'bucket', which is no input"):
        connector.action("ask", pace_by=["text", "bucket"])(ask)
    connector.action("ask", pace_by=["text"])(ask)
    assert connector.actions["ask"].pace_by == ("text",)


def test_option_sources(connector: Connector) -> None:
    """An option source gives Options; whether it needs the client is seen from its parameters."""

    @connector.options("voices")
    def voices() -> list[Option]:
        """The voices."""
        return [Option("alto", "Alto")]

    @connector.options("openDoors", title="Doors")
    def doors(_client: str) -> list[Option]:
        return []

    assert [option.to_json() for option in voices()] == [{"value": "alto", "label": "Alto"}]
    assert describe(connector)["optionSources"] == [
        {
            "key": "voices",
            "title": "Voices",
            "description": "The voices.",
            "needsConnection": False,
        },
        {"key": "openDoors", "title": "Doors", "description": "", "needsConnection": True},
    ]


def test_permissions_of_all_actions(connector: Connector) -> None:
    """What all actions need together is told by system, sorted, each once."""

    def ask(_question: Ask) -> Answer: ...  # type: ignore[empty-body]

    connector.action("a", permissions={"iam": ["x:Two", "x:One"]})(ask)
    connector.action("b", permissions={"iam": ["x:One"], "other": ["y"]})(ask)
    assert connector.permissions() == {"iam": ("x:One", "x:Two"), "other": ("y",)}
    assert repr(connector) == "Connector('talk', '1.0.0')"


def test_connection_tests_are_kept(connector: Connector) -> None:
    """A function declared as a connection test is kept and given back."""

    def see(_client: Any, _context: OpenContext) -> Iterable[Step]:
        return []

    assert connector.test(see) is see
    assert connector.tests == [see]


def test_values_hide() -> None:
    """No text of inputs, connection values or credentials tells what is in them, and none is
    pickled or copied by pickling.
    """
    secret = "s3cret-value"
    door, question = Door(secret=secret), Ask(text=secret)
    minted = Minted(secret, 5.0, (secret,))
    assert (repr(door), str(door), repr(question), str(question)) == (
        "Door(…)",
        "Door(…)",
        "Ask(…)",
        "Ask(…)",
    )
    assert secret not in repr(minted) + str(minted) + f"{door} {question!r}"
    for held in (door, minted, question):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(held)
    with pytest.raises(TypeError, match="cannot be pickled"):
        copy.copy(minted)


def test_errors_of_models_quote_no_values() -> None:
    """Pydantic's own error does not show what it was given."""
    with pytest.raises(ValidationError) as caught:
        Door.model_validate({"secret": "s3cret-value", "other": "s3cret-other"})
    assert "s3cret" not in str(caught.value)


def test_models_are_closed_and_frozen() -> None:
    """Models take JSON names and Python names, refuse unknown ones, and are not written to."""
    assert Ask.model_validate({"text": "a", "loudVoice": True}) == Ask(text="a", loud_voice=True)
    assert Answer(message_id="1").model_dump(by_alias=True) == {"MessageId": "1"}
    with pytest.raises(ValidationError, match="not permitted"):
        Ask.model_validate({"text": "a", "other": 1})
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Ask(text="a"), "text", "b")  # noqa: B010 (a type checker refuses the plain form)
    assert list(Ask(text="a").rules()) == []


def context(call: Call) -> OpenContext:
    """A context without a runtime behind it."""

    class Kept:
        def lease(
            self, key: str, mint: Any, deadline: Deadline, *, outlasts: bool = False
        ) -> Minted:
            found: Minted = mint()
            assert deadline is call.deadline
            return found

        def drop(self, key: str, used: Minted) -> None:
            dropped.append((key, used))

        def cached(self, _key: object, make: Any) -> Any:
            return make()

    dropped: list[tuple[str, Minted]] = []
    kept = Kept()
    found = OpenContext("default", "front", "talk", {}, {}, call, SystemClock(), {}, kept)
    used = found.lease("key", lambda: Minted("value"))
    found.drop("key", used)
    assert (used.value, found.cached("a", lambda: 5), dropped) == ("value", 5, [("key", used)])
    return found


def test_a_context_leases_and_keeps() -> None:
    """A connection type leases under its try's deadline, drops what it leased, and keeps objects;
    its text tells nothing.
    """
    found = context(Call(Deadline.after(5, SystemClock())))
    assert "front" not in repr(found)
    assert Door(secret="s").open(found) == "open talk"


def test_the_default_test_of_a_connection_opens_it() -> None:
    """A type that declares no test is opened, which passes no test; one that cannot be opened says
    so.
    """
    found = context(Call(Deadline.after(5, SystemClock())))
    (step,) = Door(secret="s").test(found)
    assert isinstance(step, Step)
    assert step.to_json() == {
        "key": "open",
        "title": "Open the connection",
        "passed": False,
        "mandatory": False,
        "message": "The values were accepted.",
    }
    with pytest.raises(NotImplementedError):
        list(Bare().test(found))


def test_steps_and_accounts() -> None:
    """A step shows its hint where it has one; an account is an id and a label."""
    assert Step("a", "A", passed=False, message="No.", hint="Do.").to_json()["hint"] == "Do."
    assert (Account("1", "One").id, Detail("/a", "b").to_json()) == (
        "1",
        {"path": "/a", "message": "b"},
    )


def test_a_call_begins_once_in_time() -> None:
    """Beginning is refused where the caller has left or time is up, and counts once; afterwards
    neither matters.
    """
    call = Call(Deadline.after(60, SystemClock()))
    call.begin()
    call.cancelled.set()
    call.begin()
    assert call.begun
    late = Call(Deadline.after(0, SystemClock()))
    with pytest.raises(TimedOut, match="the deadline of 0 s passed before anything was sent"):
        late.begin()
    left = Call(Deadline.after(60, SystemClock()))
    left.cancelled.set()
    with pytest.raises(Cancelled):
        left.begin()
    assert (late.begun, left.begun) == (False, False)


def test_the_current_call() -> None:
    """Inside of a try the current call is that try, outside there is none, however it ended."""
    call = Call(Deadline.after(60, SystemClock()))
    assert current_call() is None
    with entered(call) as inside:
        assert current_call() is inside is call
    assert current_call() is None

    def fail() -> None:
        with entered(call):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert current_call() is None


def test_the_author_s_api_is_lazy_and_whole() -> None:
    """Each name of the API can be had, ``dir`` lists them, and any other name is refused as Python
    does.
    """
    listed = dir(jackfield.connector)
    assert listed == sorted(jackfield.connector.__all__)
    assert all(getattr(jackfield.connector, name) is not None for name in listed)
    with pytest.raises(
        AttributeError, match=r"module 'jackfield\.connector' has no attribute 'nothing'"
    ):
        jackfield.connector.nothing  # type: ignore[attr-defined]  # noqa: B018 (asking is the test)
