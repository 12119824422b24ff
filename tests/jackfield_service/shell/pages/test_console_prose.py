"""What providers write about their actions: Markdown and HTML of their documentation, as a reader
of the console sees it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import placed

from jackfield.kernel.markup import document, line
from jackfield_service.shell.pages.layout.components import summary
from plugboard import declare

_STRIPE = (
    "<p>Creates a <code>PaymentIntent</code> object, see <a "
    'href="https://docs.example.com/x">the guide</a>.</p>'
)
_GITHUB = (
    "[Issues are disabled](https://docs.example.com/i), see [authorship](#authorship) and "
    "`410 Gone`."
)


def test_m2_heads_and_lists_show_no_markup(tmp_path: Path) -> None:
    """M2: the head of an action and the list of a connector show a provider's HTML and Markdown as
    words, code and links.
    """
    actions = [
        {"key": key, "title": key, "description": text}
        for key, text in (("charge", _STRIPE), ("open", _GITHUB))
    ]
    declare(
        tmp_path / "site", "jackfield-shop", "jackfield.connectors", {"shop": "jackfield_shop:http"}
    )
    (tmp_path / "site" / "jackfield_shop").mkdir()
    raw = {
        "manifestVersion": 1,
        "key": "shop",
        "title": "Shop",
        "version": "1",
        "description": "A <b>shop</b>.",
        "actions": actions,
    }
    (tmp_path / "site" / "jackfield_shop" / "connector.json").write_text(
        json.dumps(raw), encoding="utf-8"
    )
    with placed(tmp_path) as place:
        client = place.signed_in()
        for path in (
            "/connectors/shop/actions/charge",
            "/connectors/shop/actions/open",
            "/connectors/shop",
            "/connectors?q=charge",
        ):
            shown = client.get(path)
            assert shown.status == 200
            assert [
                sign
                for sign in ("&lt;p&gt;", "](", "`", "&lt;b&gt;")
                if sign in shown.text.partition("<main")[2]
            ] == []
        assert (
            '<code>PaymentIntent</code> object, see <a href="https://docs.example.com/x"'
            in client.get("/connectors/shop").text
        )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see [below](#text_usage)", "see below"),
        ("[x](javascript:alert(1)) and [y](/rest/issues)", "x and y"),
        ("<b>one</b><br>two", "<strong>one</strong>\ntwo"),
        ('<a href="javascript:alert(1)">here</a>', "here"),
        ("<your-name> and `<p>`", "&lt;your-name&gt; and <code>&lt;p&gt;</code>"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("</a><b onclick=x>z</b>", "<strong>z</strong>"),
    ],
)
def test_only_harmless_html_is_read(text: str, shown: str) -> None:
    """The elements that descriptions use become Markdown; everything else stays text, and a link
    that leads nowhere is its words.
    """
    assert line(text) == shown


def test_lists_of_html_are_lists() -> None:
    """A list in HTML is one in a document."""
    assert document("<p>Either:</p><ul><li>One</li><li>Two</li></ul>", 2).split("\n")[1:4] == [
        "<ul>",
        "<li>One</li>",
        "<li>Two</li>",
    ]


def test_a_summary_is_the_first_paragraph() -> None:
    """Authors wrap their lines: a card shows the whole sentence, and nothing of what follows an
    empty line.
    """
    assert (
        str(summary("Tell when the account\nis paused.\n\nIt is polled."))
        == "Tell when the account is paused."
    )
