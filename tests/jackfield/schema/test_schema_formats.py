"""What each format takes and refuses, and what it says."""

from __future__ import annotations

import time

import pytest
from hypothesis import strategies as st

from drawing import drawn
from jackfield.schema import compile_schema
from jackfield.schema.formats import FORMATS, JUDGED_HERE

FINE: dict[str, list[str]] = {
    "email": [
        "ada@example.com",
        "a.b+c@x.co.uk",
        "o'brien@x.io",
        '"a b"@x.io',
        "ada@bücher.example",
        "a@xn--bcher-kva.example",
        "A_1-x@1x.io",
    ],
    "idn-email": ["ada@example.com", "jörg@bücher.example", "用户@例子.公司"],
    "uri": [
        "https://example.com/a?b=c#d",
        "urn:isbn:0451450523",
        "mailto:a@b.io",
        "http://[::1]:80/",
        "http://[v1.a:b]/",
        "a:",
        "x://u:p@h:1",
    ],
    "uri-reference": [
        "/path",
        "",
        "?q",
        "#f",
        "a/b:c",
        "//host/x",
        "https://example.com",
        "%20",
        "./a:b",
    ],
    "date-time": [
        "2026-01-31T08:30:00Z",
        "2026-01-31t08:30:00.123z",
        "2024-02-29T23:59:59+23:59",
        "1998-12-31T23:59:60Z",
        "1998-12-31T15:59:60.1-08:00",
    ],
    "date": ["2026-01-31", "2024-02-29", "2000-02-29", "0000-01-01"],
    "time": ["08:30:00Z", "23:59:60Z", "08:30:00.5-01:30"],
    "duration": ["P1D", "PT1H", "P2W", "P1Y2M3DT4H5M6S", "PT36H", "P1DT12H"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"],
    "hostname": [
        "example.com",
        "localhost",
        "a-b.c1",
        "xn--bcher-kva.example",
        "a" * 63,
        ".".join(["a" * 49] * 5),
    ],
    "idn-hostname": ["example.com", "bücher.example", "例え。テスト", "ü" * 50],
    "ipv4": ["192.0.2.1", "0.0.0.0", "255.255.255.255"],
    "ipv6": ["::1", "2001:db8::1", "::ffff:192.0.2.1", "::"],
    "regex": ["^a$", r"\d{2}", "(?<year>[0-9]+)", "[[]", ""],
    "json-pointer": ["", "/a/0", "/a~1b~0", "/", "//"],
    "byte": ["", "QUJD", "QQ==", "QUI=", "+/+/"],
    "password": ["anything"],
    "html": ["<p>"],
    "uri-template": ["/users/{id}"],
    "no-such-format": ["x"],
}
BAD: dict[str, list[str]] = {
    "email": [
        "",
        "ada",
        "@x.io",
        "ada@",
        "ada@localhost",
        "a b@x.io",
        ".a@x.io",
        "a..b@x.io",
        "Ada <ada@x.io>",
        "ada@x..io",
        "ada@-x.io",
        "ada@x_y.io",
        "ada@x.io.",
        " ada@x.io",
        "ada@x.io\n",
        "ada@[192.0.2.1]",
        "ada@1.2.3.4",
        "a@b@c.io",
        "ada@x.io\u3000",
    ],
    "idn-email": ["ada", "jörg@x", "a\u3000b@x.io", '"ü"@'],
    "uri": [
        "",
        "/path",
        "//x",
        "1:a",
        "http://a b",
        "http://x/%zz",
        "http://[::g]/",
        "http://ex\u00e4mple/",
        "http://h:p/",
        "a\n:b",
        "http://[::1",
        "x:<",
    ],
    "uri-reference": ["a b", "1:a", "%", "//[::1", "\\", "http://[x]/"],
    "date-time": [
        "",
        "2026-01-31",
        "2026-01-31 08:30:00Z",
        "2026-01-31T08:30:00",
        "2026-01-31T24:00:00Z",
        "2026-01-31T08:30:61Z",
        "2026-13-01T00:00:00Z",
        "2026-01-31T08:30:60Z",
        "2026-01-31T08:30:00+24:00",
        "2026-01-31T08:60:00Z",
        "2026-01-31T08:30:00+01:60",
    ],
    "date": [
        "2026-02-29",
        "1900-02-29",
        "2026-1-1",
        "2026-00-10",
        "2026-01-00",
        "2026-01-32",
        "٢٠٢٦-01-01",
        "2026-01-01\n",
        "20260101",
    ],
    "time": ["08:30:00", "8:30:00Z", "22:59:60Z", "08:30Z"],
    "duration": ["", "P", "PT", "1D", "P1D2Y", "P1Y2D", "PT1H3S", "P1W2D", "P1S", "P1.5D"],
    "uuid": [
        "",
        "123e4567e89b12d3a456426614174000",
        "123e4567-e89b-12d3-a456-42661417400g",
        "{123e4567-e89b-12d3-a456-426614174000}",
    ],
    "hostname": [
        "",
        "-a",
        "a-",
        "a_b",
        "a.",
        "a..b",
        "a" * 64,
        ".".join(["a" * 50] * 6),
        "bücher.example",
        "a b",
        "a\n",
    ],
    "idn-hostname": [
        "",
        "a_b",
        "-ü",
        "ü-",
        "ü b",
        "ü_",
        "a..b",
        "ü" * 64,
        "x" * 254,
        "\u200f\u00fc",
    ],
    "ipv4": ["", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4\n", "1.2.3.4.5"],
    "ipv6": ["", "1::2::3", "fe80::1%eth0", "12345::", "1.2.3.4", "::1\n"],
    "regex": ["(", "[a", r"\Z", r"\a", "a{2,1}", "*"],
    "json-pointer": ["a", "/~", "/~2", "#/a"],
    "byte": ["QQ", "QQ=", "Q===", "====", "Q=Q=", "QUJ\n", "QU-_", "ÄÄÄÄ", "=QQQ"],
}
CASES = [
    (name, text, fine)
    for fine, table in ((True, FINE), (False, BAD))
    for name, texts in table.items()
    for text in texts
]


def test_formats_take_and_refuse() -> None:
    """Each format takes its own spellings only; names that say how to show a value take any
    string.
    """
    compiled = {
        name: compile_schema({"properties": {"v": {"format": name}}}) for name, _, _ in CASES
    }
    verdicts = [(name, text, compiled[name].judge({"v": text}) == ()) for name, text, _ in CASES]
    assert verdicts == CASES


def test_formats_judge_strings_only() -> None:
    """A number is no concern of a format (JSON Schema 2020-12 §7.2)."""
    assert compile_schema({"format": "email"}).judge(3) == ()
    assert compile_schema({"format": "date"}).judge(3) == ()


@pytest.mark.parametrize("name", sorted(JUDGED_HERE))
def test_a_refusal_is_a_predicate_without_the_value(name: str) -> None:
    """What a format says reads on after the value: "is not …", "contains …"."""
    fault = JUDGED_HERE[name].fault("(\x00 ~")
    assert fault is not None
    assert fault.split()[0] in {"is", "contains", "has"}


@drawn(
    st.text() | st.from_regex(r"[\w@.<>\"(),;:/%\[\]+-]{0,40}", fullmatch=True), few=100, many=300
)
def test_no_text_makes_a_format_raise(text: str) -> None:
    """Any text gives None or a sentence, from every format; and what the quick pattern takes, the
    close look takes too.
    """
    for judged in JUDGED_HERE.values():
        fault = judged.fault(text)
        assert fault is None or fault
        assert judged.quick is None or judged.quick.fullmatch(text) is None or fault is None


@pytest.mark.parametrize(
    "piece", ["a", "a@", "<", '"', "(", ",", "a.", "%20", "1:", "-", "QQ==", " ", "a@b.io,"]
)
@pytest.mark.parametrize("length", [50_000, pytest.param(1_000_000, marks=pytest.mark.campaign)])
def test_megabytes_cost_no_more_than_their_length(piece: str, length: int) -> None:
    """A text of a million characters (fewer for each commit), whatever it is made of, is judged by
    all formats together in seconds.
    """
    text = piece * (length // len(piece))
    compiled = [compile_schema({"format": name}) for name in FORMATS]
    started = time.process_time()
    faults = [one.judge(text) for one in compiled]
    assert time.process_time() - started < 10
    assert any(faults)
