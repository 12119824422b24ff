"""What a connector's page says about its package, inputs and versions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_market.publishing import built, file_of, named, publish

from shell import Shell
from wheel_maker import INFO, archive, files, record

pytest_plugins = ["shell_fixture"]

FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "plain": ({}, "value"),
    "secret": (
        {"type": "string", "writeOnly": True, "format": "password", "default": "hidden"},
        "secret",
    ),
    "mail": (
        {"type": "string", "format": "email", "minLength": 3, "maxLength": 200},
        "string (email) 3 to 200 characters",
    ),
    "choice": ({"enum": ["a", "b"], "default": "a"}, 'value one of "a", "b" default "a"'),
    "many": (
        {"enum": list(range(20))},
        f"value one of {', '.join(map(str, range(12)))} and 8 more",
    ),
    "fixed": ({"const": 7}, "always 7"),
    "number": ({"type": ["integer", "null"], "minimum": 1, "maximum": 1}, "integer or null 1 to 1"),
    "above": (
        {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
        "number above 0 a multiple of 0.5",
    ),
    "least": ({"type": "string", "minLength": 1}, "string at least 1 character"),
    "most": ({"type": "object", "maxProperties": 2}, "object at most 2 members"),
    "list": (
        {
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "uniqueItems": True,
            "items": {"type": "string", "pattern": "^x"},
        },
        "list of string 1 to 50 items no item twice each: pattern ^x",
    ),
    "either": (
        {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/file"}, {"type": "string"}]},
        "string or object",
    ),
    "named": ({"$ref": "#/$defs/file", "title": "File"}, "object"),
    "anything": (True, "value"),  # type: ignore[dict-item]
}


def rich(manifest: dict[str, Any]) -> None:
    """A manifest with every kind of field, a host and permissions."""
    manifest["hosts"] = ["api.acme.example"]
    action = manifest["actions"][0]
    action["permissions"] = {"api": ["greet:all"]}
    action["inputs"] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: schema for name, (schema, _) in FIELDS.items()},
        "required": ["mail"],
        "$defs": {"file": {"type": "object"}},
    }
    manifest["actions"] += [
        {**action, "key": f"greet{number}", "inputs": {"type": "object"}} for number in range(6)
    ]


def text_of(page: str) -> str:
    """The text of markup, in one line."""
    return " ".join(unescape(re.sub("<[^>]+>", " ", page)).split())


@pytest.fixture
def page(shell: Shell) -> str:
    """The page of a connector with every kind of field."""
    publish(
        shell,
        named("acme", change=rich, readme="# Acme\n\n### Deep\n\nSay *hello*."),
        file_of("acme"),
    )
    assert shell.run("catalogue", "init", "site").code == 0
    built(shell)
    return (shell.folder / "site/connectors/acme/index.html").read_text()


def test_inputs_are_told_with_type_and_limits(page: str) -> None:
    """Each input has its name, whether it is required, its type and limits; a secret's default is
    not shown; the required come first.
    """
    table = page.partition('aria-label="Inputs of Greet"')[2].partition("</table>")[0]
    rows = [re.findall(r"<t[hd] [^>]*>(.*?)</t[hd]>", row) for row in table.split("<tr")[2:]]
    shown = {text_of(name): text_of(kind) for name, kind, _ in rows}
    assert next(iter(shown)) == "mail required"
    assert shown == {
        f"{name} {'required' if name == 'mail' else 'optional'}": said
        for name, (_, said) in FIELDS.items()
    }
    assert "It has no inputs." in page


def test_a_row_stays_a_row_where_it_is_a_card(page: str) -> None:
    """On a narrow screen a table's row is a card: its values carry the names of their columns, and
    screen readers still hear a table.
    """
    table = page.partition('aria-label="Inputs of Greet"')[2].partition("</table>")[0]
    cells = re.findall(r'<t[hd] [^>]*role="(rowheader|cell)" data-label="(\w+)">', table)
    assert set(cells) == {("rowheader", "Name"), ("cell", "Type"), ("cell", "Meaning")}
    assert len(cells) == 3 * len(FIELDS) == 3 * table.count('<tr role="row">') - 3


def test_a_page_tells_what_the_package_asks_for(page: str) -> None:
    """Permissions, hosts, requirements, licence and grade are on the page, and the README below the
    page's own headings.
    """
    text = text_of(page)
    for said in (
        "api: greet:all",
        "and api.acme.example .",
        "Requires jackfield<1,>=0.1",
        "not graded by this catalogue",
        "not stated",
    ):
        assert said in text
    assert re.findall(r"<(h\d)>(?:Acme|Deep)<", page) == ["h3", "h4"]
    assert "<em>hello</em>" in page
    assert page.count('<li><a href="#action-') == 7


def test_plain_text_stays_plain(shell: Shell) -> None:
    """A description that is not Markdown is shown as it is."""
    contents = files()
    contents[f"{INFO}/METADATA"] += b"Description-Content-Type: text/x-rst\n\n*not* <b>markup</b>\n"
    publish(shell, archive({**contents, f"{INFO}/RECORD": record(contents)}))
    assert shell.run("catalogue", "init", "site").code == 0
    built(shell)
    assert (
        "*not* &lt;b&gt;markup&lt;/b&gt;"
        in Path(shell.folder / "site/connectors/acme/index.html").read_text()
    )


def test_one_connector_does_not_spoil_the_lists(shell: Shell) -> None:
    """Long titles and descriptions are shortened in lists and search, so that one publisher cannot
    fill them.
    """

    def long(manifest: dict[str, Any]) -> None:
        # as long as a packed one may be
        manifest.update(title="T" * 200, description="word " * 1_600)

    publish(shell, named("acme", change=long), file_of("acme"))
    assert shell.run("catalogue", "init", "site").code == 0
    built(shell)
    for name in ("index.html", "assets/search-index.js"):
        assert (shell.folder / "site" / name).stat().st_size < 8_000


def test_triggers_are_shown_and_found(shell: Shell) -> None:
    """A connector's triggers are on its page, in the line of the list, in the words of the search,
    and in the wheel's own page.
    """

    def watching(manifest: dict[str, Any]) -> None:
        event = {
            "type": "object",
            "properties": {"issue": {"type": "string", "description": "Its number."}},
        }
        trigger = {
            "key": "issueCreated",
            "title": "Issue Opened",
            "description": "Reports new issues.",
            "inputs": {"type": "object"},
        }
        manifest["triggers"] = [
            {
                **trigger,
                "kind": "poll",
                "poll": {"interval": 60},
                "types": ["opened"],
                "event": event,
            }
        ]

    publish(shell, named("acme", change=watching), file_of("acme"))
    assert shell.run("catalogue", "init", "site").code == 0
    built(shell)
    site = shell.folder / "site"
    text = text_of((site / "connectors/acme/index.html").read_text())
    for said in (
        "Triggers Issue Opened issueCreated",
        "Reports new issues.",
        "asks the provider for what is new",
        "Its number.",
        "opened",
    ):
        assert said in text
    assert "1 action, 1 trigger" in text_of((site / "index.html").read_text())
    assert "issuecreated" in (site / "assets/search-index.js").read_text()


def test_a_grade_has_its_evidence(shell: Shell) -> None:
    """The page says by which rules the connector has its grade, with what was seen; a report of
    another grade than the signed one is not shown, and a later report with the same grade renders
    the page anew.
    """
    publish(shell, named("acme"), file_of("acme"))
    assert shell.run("catalogue", "init", "site").code == 0
    rule = {
        "name": "has-tests",
        "tier": "silver",
        "passed": True,
        "reason": "Tests come along.",
        "evidence": ["read 3 <tests>"],
    }
    failed = {
        **rule,
        "name": "has-examples",
        "tier": "gold",
        "passed": False,
        "reason": "Each action has an example.",
    }
    report = {"connector": "acme", "version": "1.0.0", "grade": "silver", "rules": [failed, rule]}
    shell.write("checks/acme.json", json.dumps(report))
    built(shell, "--checks", "checks")
    place = shell.folder / "site/connectors/acme/index.html"
    text = text_of(place.read_text())
    assert "Grade silver why" in text
    assert "silver: 1 of 1 rules hold holds has-tests Tests come along. read 3 <tests>" in text
    assert "gold: 0 of 1 rules hold fails has-examples" in text
    assert built(shell, "--checks", "checks")["pagesWritten"] == 0
    shell.write("checks/acme.json", json.dumps({**report, "rules": [rule]}))
    built(shell, "--checks", "checks")
    assert "has-examples" not in place.read_text()
    published = shell.folder / "site/connectors/acme/checks/1.0.0.json"
    published.write_text(published.read_text().replace('"silver"', '"platinum"'))
    built(shell, "--all-pages")
    assert "has-tests" not in place.read_text()


@pytest.mark.parametrize(
    "rules",
    ["none", [{"name": "x"}], [{"name": "x", "tier": "tin", "passed": True, "reason": "y"}], None],
)
def test_a_report_without_readable_rules_is_refused(shell: Shell, rules: Any) -> None:
    """Rules of a report that cannot be read are refused with the file's name, and nothing is
    published.
    """
    publish(shell, named("acme"), file_of("acme"))
    assert shell.run("catalogue", "init", "site").code == 0
    shell.write(
        "checks/acme.json",
        json.dumps({"connector": "acme", "version": "1.0.0", "grade": "silver", "rules": rules}),
    )
    ran = shell.run("catalogue", "build", "dist", "--out", "site", "--checks", "checks")
    assert ran.code != 0
    assert "not a report of 'jackfield check --json'" in ran.out
    assert not (shell.folder / "site/connectors/acme").exists()


def test_lists_show_icons_and_categories(shell: Shell) -> None:
    """The list shows an icon if it is small, once per connector in catalogue.json, and offers the
    categories that connectors have.
    """

    def shown(icon: str, *categories: str) -> Callable[[dict[str, Any]], None]:
        return lambda manifest: manifest.update(icon=icon, categories=list(categories))

    small = "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg'/>"
    for key, icon in (
        ("acme", small),
        ("large", small + " " * 5_000),
        ("remote", "https://evil.example/x.png"),
    ):
        publish(shell, named(key, change=shown(icon, "Mail")), file_of(key))
    publish(shell, named("acme", "2.0.0", shown(small, "Mail", "CRM")), file_of("acme", "2.0.0"))
    assert shell.run("catalogue", "init", "site").code == 0
    built(shell)
    site = shell.folder / "site"
    listed = (site / "index.html").read_text()
    assert listed.count("<img ") == 1
    assert (site / "catalogue.json").read_text().count(small) == 1
    assert re.findall(r'<option value="(\w+)">([^<]+)', listed) == [
        ("CRM", "CRM (1)"),
        ("Mail", "Mail (3)"),
    ]
    before = (site / "catalogue.json").read_bytes()
    assert built(shell, "--all-pages")["pagesWritten"] == 0
    assert (site / "catalogue.json").read_bytes() == before
