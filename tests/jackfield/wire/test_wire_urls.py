"""URLs of servers that people name, as requests are sent to them."""

from __future__ import annotations

from jackfield.wire.urls import target_of


def test_urls_are_sent_as_they_stand() -> None:
    """Escapes, queries and ports of a URL are kept; other characters are escaped."""
    assert target_of("https://hooks.example.com/a%20b/ö?x=1&y=%2F#z")[1:] == (
        b"/a%20b/%C3%B6?x=1&y=%2F",
        b"hooks.example.com",
    )
    assert target_of("http://example.com:8080")[1:] == (b"/", b"example.com:8080")
    assert target_of("https://[2001:db8::1]/")[2] == b"[2001:db8::1]"
