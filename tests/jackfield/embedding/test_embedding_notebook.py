"""A Result in a notebook: IPython shows a table, and no secret is saved with it."""

from __future__ import annotations

from typing import Any

from IPython.core.formatters import DisplayFormatter

from host_provider import SECRET, Provider
from jackfield import Jackfield
from jackfield.testing import Answer, mocked

_TOKEN = "<script>tok-from-the-provider</script>"


def _shown(value: Any) -> dict[str, str]:
    """What a notebook saves of a cell's last value, by media type."""
    formatter: Any = DisplayFormatter()
    data, _ = formatter.format(value)
    return dict(data)


def test_a_result_shows_as_a_table() -> None:
    """A cell that ends with a Result shows status, action, time and the shape of the output; its
    values stay in ``output``.
    """
    given = {"connector": "http", "action": "request", "connection": "m", "inputs": {"url": "/"}}
    connections = {
        "connections": {
            "m": {
                "type": "http/bearer",
                "values": {"server": "https://api.example.com", "token": SECRET},
            }
        }
    }
    answer = Answer({"token": _TOKEN, "rows": [1, 2, 3]})
    with (
        mocked("https://api.example.com", answer),
        Jackfield(connections=[connections], database_url="none") as jackfield,
    ):
        result = jackfield.invoke(given)
    shown = _shown(result)
    assert shown["text/html"].startswith("<table")
    assert [
        text in shown["text/html"]
        for text in ("succeeded", "http/request", "output[&#x27;body&#x27;]", "object of 2")
    ] == [True] * 4
    assert [secret in str(shown) for secret in (_TOKEN, "tok-from-the-provider", SECRET)] == [
        False
    ] * 3
    assert result.unwrap()["body"]["token"] == _TOKEN


def test_a_failure_shows_what_to_do() -> None:
    """Code, message, each detail and the hint are rows; what a provider wrote is escaped."""
    with (
        mocked("https://api.example.com", Answer({"message": _TOKEN}, 422)),
        Jackfield(connections=[], database_url="none") as jackfield,
    ):
        inline = {
            "type": "http/bearer",
            "values": {"server": "https://api.example.com", "token": SECRET},
        }
        given = {
            "connector": "http",
            "action": "request",
            "connection": inline,
            "inputs": {"url": "/", "method": "POST"},
        }
        shown = jackfield.invoke(given)._repr_html_()
        wrong = jackfield.invoke({**given, "inputs": {"method": "NO"}})._repr_html_()
    assert "rejected" in shown
    assert ("<script>" in shown, SECRET in shown) == (False, False)
    assert [text in wrong for text in ("invalid_input", "/url", "/method", "what to do")] == [
        True
    ] * 4


def test_a_runtime_and_its_connections_show_no_secret(provider: Provider) -> None:
    """What a cell may end with besides a Result has no values of a connection in it."""
    with Jackfield(connections=[provider.connection()], database_url="none") as jackfield:
        for value in (
            jackfield,
            jackfield.connections,
            jackfield.connections.find("m"),
            jackfield.show("m"),
            vars(jackfield),
        ):
            assert SECRET not in str(_shown(value))
