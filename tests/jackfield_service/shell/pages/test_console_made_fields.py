"""Lists of objects, maps, values of several forms and sets of choices have controls of their own;
long forms have a search.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from browsing import Visitor
from console_rig import served
from jackfield_service.shell.pages.layout.form_schema import form_schema

pytest_plugins = ["browser"]

_MAKE = """async ([schema, value]) => {
    document.querySelector("#made")?.remove();
    const form = Object.assign(document.createElement("form"), { id: "made" });
    const holder = document.createElement("div");
    Object.assign(holder.dataset, { form: "made", schema: JSON.stringify(schema), value: JSON.stringify(value), options: "/none/" });
    form.append(holder);
    document.querySelector("main").prepend(form);
    document.dispatchEvent(new Event("console:content"));
    while (!holder.dataset.filled) await new Promise((done) => setTimeout(done));
}"""
"""Make a form as the page makes its own."""
_POINT: dict[str, Any] = {
    "type": "object",
    "title": "Point",
    "properties": {"x": {"type": "integer"}, "label": {"type": "string"}},
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "points": {"type": "array", "items": _POINT},
        "named": {"type": "object", "additionalProperties": _POINT},
        "either": {"anyOf": [_POINT, {"type": "integer"}, {"type": "array", "items": _POINT}]},
        "colours": {"type": "array", "items": {"enum": ["red", "green", 3]}},
        "labels": {"type": "array", "items": {"anyOf": [{"type": "string"}, _POINT]}},
        "payload": {"anyOf": [{"type": "string"}, {"type": ["object", "array"]}]},
        "sizes": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
}


class Form:
    """A form in a browser."""

    def __init__(self, visitor: Visitor) -> None:
        self.page = visitor.page

    def make(self, schema: dict[str, Any], value: Any) -> None:
        """Make it anew."""
        self.page.evaluate(_MAKE, [form_schema(schema), value])

    @property
    def value(self) -> Any:
        """What it would send."""
        return json.loads(
            self.page.evaluate(
                "() => JSON.stringify(document.querySelector('#made > div').editor.getValue())"
            )
        )

    def at(self, path: str) -> Any:
        """A field by its path."""
        return self.page.locator(f'#made [data-schemapath="made.{path}"]').first


@pytest.fixture(scope="module")
def somebody(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """A page to make forms in, for all tests."""
    with served(tmp_path_factory.mktemp("fields"), queue_workers=0) as console:
        visitor = Visitor(browser, console)
        visitor.sign_in()
        yield visitor
        visitor.close()


@pytest.fixture
def form(somebody: Visitor) -> Form:
    """The page, on which each test makes its own form."""
    if not somebody.page.url.endswith("/connectors/echo/actions/say"):
        somebody.go("/connectors/echo/actions/say")
    return Form(somebody)


@pytest.mark.parametrize(
    "value",
    [
        {"points": [{"x": 1}, {"x": 2, "label": "b"}]},
        {"named": {"a": {"x": 1}, "b.c": {"label": "y"}}},
        {"either": 7},
        {"either": {"x": 7}},
        {"either": [{"x": 7}, {"label": "z"}]},
        {"either": {"unknown": True}},
        {"colours": ["red", 3]},
        {"payload": {"a": [1]}},
        {"payload": "5"},
        {"labels": ["bug", "5", {"x": 1}]},
        {},
    ],
)
def test_inputs_of_an_earlier_call_come_back_as_they_were(form: Form, value: Any) -> None:
    """A form that is filled with inputs gives the same inputs."""
    form.make(SCHEMA, value)
    assert form.value == value


def test_rows_are_added_and_removed(form: Form) -> None:
    """Items and members of maps are entered field by field; an empty row is not sent, and a removed
    one is gone.
    """
    form.make(SCHEMA, {})
    points, named = form.at("points"), form.at("named")
    for number in range(3):
        points.get_by_role("button", name="Add an item").click()
        form.at(f"points.{number}").get_by_label("X", exact=True).fill(str(number))
    points.get_by_role("button", name="Add an item").click()
    named.get_by_role("button", name="Add a member").click()
    named.get_by_placeholder("Name").fill("first")
    named.get_by_label("Label", exact=True).fill("hello")
    assert form.value == {
        "points": [{"x": 0}, {"x": 1}, {"x": 2}],
        "named": {"first": {"label": "hello"}},
    }
    points.get_by_role("button", name="Remove points 2").click()
    assert form.value["points"] == [{"x": 0}, {"x": 2}]
    named.get_by_role("button", name="Remove named 1").click()
    assert form.value == {"points": [{"x": 0}, {"x": 2}]}


def test_one_of_several_forms_is_chosen(form: Form) -> None:
    """The form of a value is chosen first, then its fields are there; JSON is always one of
    them.
    """
    form.make(SCHEMA, {"either": 7})
    choose = form.page.get_by_label("either: form")
    assert choose.locator("option").all_text_contents() == [
        "Not set",
        "Point",
        "Whole number",
        "List",
        "JSON",
    ]
    choose.select_option("Point")
    form.at("either").get_by_label("X", exact=True).fill("8")
    assert form.value == {"either": {"x": 8}}
    choose.select_option("JSON")
    form.at("either").locator("textarea").fill('{"y": [1]}')
    assert form.value == {"either": {"y": [1]}}
    choose.select_option("Not set")
    assert form.value == {}


def test_choices_and_typed_maps(form: Form) -> None:
    """Several choices are boxes; the values of a map of numbers are checked by the server, which
    reads them as numbers.
    """
    form.make(SCHEMA, {})
    form.page.get_by_label("green").check()
    form.page.get_by_label("3", exact=True).check()
    form.at("sizes").get_by_label("sizes: name 1").fill("a")
    form.at("sizes").get_by_label("sizes: value 1").fill("5")
    assert form.value == {"colours": ["green", 3], "sizes": {"a": "5"}}


SCHEME: dict[str, Any] = {
    "type": "object",
    "properties": {
        "scheme": {
            "enum": ["key", "token", "none"],
            "default": "none",
            "x-jackfield": {"titles": {"key": "Key of an app", "none": "No sign-in"}},
        },
        "header": {"type": "string", "x-jackfield": {"shownFor": {"scheme": ["key", "token"]}}},
        "digest": {"type": "string", "x-jackfield": {"shownFor": {"scheme": ["key"]}}},
    },
}


@pytest.mark.parametrize(
    ("scheme", "shown"),
    [
        ({}, []),
        ({"scheme": "token"}, ["Header"]),
        ({"scheme": "key"}, ["Header", "Digest"]),
        ({"scheme": "none"}, []),
    ],
)
def test_fields_are_shown_for_what_is_chosen(
    form: Form, scheme: dict[str, str], shown: list[str]
) -> None:
    """The others are not there, and send nothing, also what was entered before; a default counts as
    chosen.
    """
    entered = {"header": "X-Key", "digest": "sha256"}
    form.make(SCHEME, {"scheme": "key", **entered})
    assert form.value == {"scheme": "key", **entered}
    form.at("scheme").locator("select").select_option(
        index=0 if not scheme else ["key", "token", "none"].index(scheme["scheme"]) + 1
    )
    labels = form.page.locator("#made label:visible").all_inner_texts()
    assert labels == ["Scheme", *shown]
    assert form.value == {
        **scheme,
        **{name: text for name, text in entered.items() if name.title() in shown},
    }


def test_the_values_of_a_choice_have_titles(form: Form) -> None:
    """Where the schema has one; the default is named by it, too."""
    form.make(SCHEME, {})
    options = form.at("scheme").locator("option").all_inner_texts()
    assert options == ["No sign-in (by default)", "Key of an app", "token", "No sign-in"]


def test_a_long_form_is_searched(form: Form) -> None:
    """Above 20 fields a search shows those in which the words occur, also behind 'More fields' and
    in groups; its text is not sent.
    """
    properties = {f"field{number}": {"type": "string"} for number in range(24)}
    form.make(
        {
            "type": "object",
            "properties": {
                **properties,
                "deep": {"type": "object", "properties": {"needle": {"type": "string"}}},
            },
        },
        {},
    )
    search = form.page.get_by_label("Find a field")
    search.fill("needle")
    assert form.page.get_by_text("1 of 25 fields").is_visible()
    assert (form.at("deep.needle").is_visible(), form.at("field1").is_visible()) == (True, False)
    search.fill("")
    assert (form.at("field1").is_visible(), form.value) == (True, {})
    form.make(SCHEMA, {})
    assert search.count() == 0


def test_made_fields_are_accessible(somebody: Visitor, form: Form) -> None:
    """Axe finds nothing in a form that has all of them."""
    form.make(
        SCHEMA,
        {"points": [{"x": 1}], "named": {"a": {"x": 1}}, "either": {"x": 1}, "colours": ["red"]},
    )
    assert somebody.axe() == []
    somebody.check()


_FAULTS = """(pointers) => {
    const shown = document.createElement("div");
    shown.innerHTML = '<h2 id="result-title">Failed</h2>' + pointers.map((at) =>
        `<ul><li data-pointer="${at}" data-message="is missing"><span class="pointer">${at}</span></li></ul>`).join("");
    document.querySelector("main").append(shown);
    const detail = { ctx: { sourceElement: document.querySelector("#made"), target: shown } };
    document.dispatchEvent(new CustomEvent("htmx:after:swap", { detail }));
    return [...document.querySelectorAll("#made [aria-invalid]")].map((control) => control.id);
}"""
"""Show faults as a response does, and return the controls that are marked."""


def test_a_fault_marks_the_member_and_not_its_neighbours(form: Form) -> None:
    """A missing member is marked itself, also in an added row; of a group that is at fault no
    member is.
    """
    body = {
        "type": "object",
        "required": ["title"],
        "properties": {"assignee": {"type": "string"}, "title": {"type": "string"}},
    }
    schema = {
        "type": "object",
        "properties": {"body": body, "group": body, "points": {"type": "array", "items": _POINT}},
    }
    form.make(schema, {"points": [{"x": 1}]})
    assert form.page.evaluate(_FAULTS, ["/body/title", "/group", "/points/0/x"]) == [
        "made-body-title",
        "made-points-0-x",
    ]
    assert form.at("group").locator(".field-error").text_content() == "is missing"


def test_an_input_called_title_has_its_label(form: Form) -> None:
    """No heading of the page has the ID of a field: the label of GitHub's ``title`` is its own, and
    leads to it.
    """
    form.page.goto(
        form.page.url.replace(
            "/connectors/echo/actions/say", "/connectors/github/actions/createIssue"
        )
    )
    field = form.page.locator('[data-schemapath="inputs.title"] input').first
    field.wait_for()
    assert field.evaluate(
        "input => [input.labels.length, document.querySelectorAll(`#${input.id}`).length]"
    ) == [1, 1]
