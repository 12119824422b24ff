"""In outputs no secret is shown, and no mask damages data (docs/reference/masking.md)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from drawing import drawn
from jackfield.redaction.marks import MASK, hidden_values
from jackfield.redaction.outputs import PUBLIC_DEFAULTS, OutputMask
from jackfield.redaction.redactor import Redactor

ROOT = Path(__file__).parents[3]
LONG = "wJalr/XUtn+FEMI-9"
SHORT = "zq4x"


def masked(
    secret: str | list[str], output: Mapping[str, Any], *tokens: object
) -> tuple[Any, tuple[str, ...]]:
    """The output of a connection with these secrets, and what is withheld."""
    return OutputMask(Redactor([secret] if isinstance(secret, str) else secret)).masked(
        output, tokens
    )


def encoded(text: str) -> str:
    """The text in Base64."""
    return base64.b64encode(text.encode()).decode()


def test_the_list_of_public_defaults_is_short_and_has_sources() -> None:
    """At most 40 values, each with the page that publishes it; the page about masking lists them
    all.
    """
    assert len(PUBLIC_DEFAULTS) <= 40
    page = (ROOT / "docs/reference/masking.md").read_text(encoding="utf-8")
    assert [
        value
        for value, source in PUBLIC_DEFAULTS.items()
        if f"| `{value}` | {source} |" not in page
    ] == []
    assert {"test", "minioadmin", "secret"} <= set(PUBLIC_DEFAULTS)
    assert [
        value
        for value, source in PUBLIC_DEFAULTS.items()
        if "https://" not in source and "same file" not in source
    ] == []


@pytest.mark.parametrize(
    "secret",
    [
        "test",
        " minioadmin\n",
        "secret",
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    ],
)
def test_a_public_default_is_not_searched_for(secret: str) -> None:
    """Neither as a word, nor in Base64 or a name, nor as what HTTP Basic makes of it: the output is
    the same object.
    """
    word = secret.strip()
    output = {
        word: word,
        "text": f"a {word}.",
        "data": {"data": encoded(f"my {word}")},
        "basic": f"Basic {encoded(f'{word}:{word}')}",
    }
    secrets = sorted(
        hidden_values({"properties": {"s": {"writeOnly": True}}}, {"s": secret, "user": word})
    )
    assert masked(secrets, output) == (output, ())
    assert masked(secrets, output)[0] is output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SHORT, MASK),
        (f"the key is {SHORT}.", f"the key is {MASK}."),
        (f"https://h/?key={SHORT}&x=1", f"https://h/?key={MASK}&x=1"),
        (f"a{SHORT}", f"a{SHORT}"),
        (f"{SHORT}9 {SHORT}", f"{SHORT}9 {MASK}"),
        (encoded(f"this is {SHORT} of bytes"), encoded(f"this is {SHORT} of bytes")),
        (encoded(SHORT), encoded(SHORT)),
        (SHORT.encode().hex(), SHORT.encode().hex()),
        (f"QUJDREVG+{SHORT}/SElKS0xN", f"QUJDREVG+{SHORT}/SElKS0xN"),
    ],
)
def test_a_short_secret_is_masked_as_a_whole_token_only(text: str, shown: str) -> None:
    """Not within a longer word, and not in Base64, neither encoded nor by chance."""
    assert masked(SHORT, {"a": [text]}) == ({"a": [shown]}, ())


@pytest.mark.parametrize("number", [1, 0, 42, -7, 1.5, 4711])
def test_a_marked_number_is_masked_as_a_whole_token_of_texts_only(number: float) -> None:
    """Numbers of an output stay, whatever they are, and so do digits within longer words: a
    sensitive 1 must not mask every 1.
    """
    secrets = hidden_values(
        {"properties": {"n": {"x-jackfield": {"sensitive": True}}}}, {"n": number}
    )
    output = {
        "n": number,
        "list": [number, 1, 0.5],
        "word": f"a{number}b",
        "longer": f"9{abs(number)}9",
        "time": "2026-01-01T01:01:01Z",
    }
    assert masked(sorted(secrets), {**output, "text": f"it is {number} now"}) == (
        {**output, "text": f"it is {MASK} now"},
        (),
    )


def test_a_short_secret_stays_in_files_names_and_page_tokens() -> None:
    """There a mask would be damage: no file could be decoded, no member found, no page fetched."""
    token = {"pk": {"S": SHORT}}
    output = {
        SHORT: 1,
        "body": {"data": SHORT, "contentType": "text/plain"},
        "next": token,
        "items": [{"pk": {"S": SHORT}}],
    }
    found, withheld = masked(SHORT, output, token)
    assert found == {**output, "items": [{"pk": {"S": MASK}}]}
    assert withheld == ()


@pytest.mark.parametrize(
    ("output", "shown", "places"),
    [
        ({"a": f"key {LONG}."}, {"a": f"key {MASK}."}, []),
        ({"a": LONG}, {"a": MASK}, []),
        ({"a": encoded(f"key {LONG}.")}, {"a": MASK}, ["/a"]),
        ({"a": [f"Basic {encoded(f'user:{LONG}')}"]}, {"a": [MASK]}, ["/a/0"]),
        (
            {"body": {"data": encoded(LONG), "contentType": "x/y"}},
            {"body": {"data": MASK, "contentType": "x/y"}},
            ["/body/data"],
        ),
        (
            {"body": {"data": "QUJD" + LONG.replace("-", "/") + "QUJD"}},
            {"body": {"data": MASK}},
            ["/body/data"],
        ),
        ({"tags": {f"my/{LONG}": 1, "b": 2}}, {"tags": {"b": 2}}, ["/tags/my~1***"]),
        ({"a": LONG.encode().hex()}, {"a": MASK}, []),
    ],
)
def test_a_long_secret_is_cut_out_of_texts_and_withholds_what_cannot_be_cut(
    output: Any, shown: Any, places: list[str]
) -> None:
    """A member in Base64, and one whose name has the secret, are withheld whole and named; texts
    lose the secret alone.
    """
    secrets = [LONG, LONG.replace("-", "/")]
    assert masked(secrets, output) == (shown, tuple(places))


def test_a_page_token_is_withheld_whole() -> None:
    """Of a token nothing is cut, wherever in it the secret is; equal texts elsewhere are texts."""
    token = f"after {LONG}"
    assert masked(LONG, {"next": token, "note": f"after {LONG}!"}, token) == (
        {"next": MASK, "note": f"after {MASK}!"},
        ("/next",),
    )
    assert OutputMask(Redactor([LONG])).holds_token({"next": {"k": token}})
    assert not OutputMask(Redactor([SHORT])).holds_token({"next": f"after {SHORT}"})


SECRETS = st.text(alphabet="abcXYZ019+/-_. ", min_size=8, max_size=30).filter(
    lambda text: len(text.strip()) >= 8
)


@drawn(secret=SECRETS, before=st.binary(max_size=9), after=st.binary(max_size=9), few=40, many=400)
def test_what_is_left_of_base64_can_be_decoded_or_is_the_mask(
    secret: str, before: bytes, after: bytes
) -> None:
    """Whatever stands around the secret: the member is withheld and named, and one without the
    secret is as it was.
    """
    whole, clean = (
        base64.b64encode(before + middle + after).decode()
        for middle in (secret.strip().encode(), b"nothing of it")
    )
    found, withheld = masked(
        secret, {"a": {"data": whole}, "b": {"data": clean}, "c": f"x: {whole}"}
    )
    assert found["a"] == {"data": MASK}
    assert found["b"] == {"data": clean}
    assert found["c"] == MASK
    assert withheld == ("/a/data", "/c")


@drawn(
    secret=st.text(alphabet="abcdefgh0123", min_size=1, max_size=7),
    texts=st.lists(st.text(alphabet="abcdefgh0123ABC+/=", max_size=40), max_size=5),
    few=40,
    many=400,
)
def test_no_longer_word_is_damaged_by_a_short_secret(secret: str, texts: list[str]) -> None:
    """Words of letters and digits that are not the secret itself are all still there."""
    given = [f"x{text.translate({43: 120, 47: 120, 61: 120})}" for text in texts]
    found, withheld = masked(secret, {"texts": given})
    assert found["texts"] == [MASK if text == secret else text for text in given]
    assert withheld == ()
