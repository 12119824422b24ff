"""Whatever the secret and however it is written, nothing of it is left."""

from __future__ import annotations

import base64
import json
import string
import unicodedata
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st
from tests.jackfield.redaction.spellings import (
    AROUND,
    ENCODERS,
    FRAMES,
    LONG_SECRET,
    SECRET,
    TEXTUAL,
    octets,
)

from drawing import drawn
from jackfield.redaction.marks import MASK
from jackfield.redaction.redactor import Redactor


@drawn(
    secret=LONG_SECRET,
    name=st.sampled_from(sorted(ENCODERS)),
    frame=st.sampled_from(FRAMES),
    few=40,
    many=400,
    cases=[
        {"secret": "a%41\"'\\\n é", "name": "json", "frame": "%s"},
        {"secret": "⨪⨪⨪⨪", "name": "plain", "frame": "%s"},
    ],
)
def test_each_encoding_alone_is_masked(secret: str, name: str, frame: str) -> None:
    """A secret in any one encoding is masked, and what frames it stays."""
    planted = ENCODERS[name](secret)
    assume(planted.strip("*"))
    cleaned = Redactor([secret]).clean(frame.replace("%s", planted))
    assert planted not in cleaned
    assert MASK in cleaned


@drawn(secrets=st.lists(SECRET, min_size=1, max_size=4), data=st.data(), few=40, many=400)
def test_nothing_is_found_after_cleaning(secrets: list[str], data: st.DataObject) -> None:
    """Secrets that overlap and begin each other leave nothing behind in a text full of them, and
    cleaning again does nothing.
    """
    secrets = [*secrets, secrets[0] + secrets[-1], secrets[0][: len(secrets[0]) // 2 + 1]]
    redactor = Redactor(secrets)
    parts = st.tuples(AROUND, st.sampled_from(secrets), st.sampled_from(sorted(ENCODERS)))
    pieces = data.draw(st.lists(parts, min_size=1, max_size=4))
    text = "".join(around + ENCODERS[name](secret) for around, secret, name in pieces)
    cleaned = redactor.clean(text)
    assert redactor.clean(cleaned) == cleaned
    assert not redactor.holds(cleaned)
    for secret in secrets:
        if len(unicodedata.normalize("NFC", secret.strip())) >= 4 and secret.strip().strip("*"):
            assert [name for name in TEXTUAL if ENCODERS[name](secret) in cleaned] == []


@drawn(
    secret=LONG_SECRET,
    before=st.binary(max_size=7),
    after=st.binary(max_size=7),
    urlsafe=st.booleans(),
    few=40,
    many=400,
)
def test_base64_is_masked_at_every_offset(
    secret: str, before: bytes, after: bytes, urlsafe: bool
) -> None:
    """In a longer base64 run no character is left that holds bits of the secret alone or with its
    neighbours.
    """
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    run = encode(before + octets(secret) + after).decode()
    cleaned = Redactor([secret]).clean(f"Authorization: Basic {run}")
    kept, _, rest = cleaned.removeprefix("Authorization: Basic ").partition(MASK)
    assert MASK in cleaned
    assert len(kept) <= 8 * len(before) // 6
    assert len(rest.rstrip("=")) <= 8 * len(after) // 6 + 1


@drawn(secret=LONG_SECRET, width=st.sampled_from([60, 64, 76]), data=st.data(), few=40, many=400)
def test_base64_is_masked_across_lines(secret: str, width: int, data: st.DataObject) -> None:
    """Line breaks of MIME and PEM within a base64 run do not hide the secret, escaped ones
    neither.
    """
    before = data.draw(st.binary(min_size=30, max_size=90))
    run = base64.b64encode(before + octets(secret) + b"some more of the message").decode()
    folded = "\r\n".join(run[at : at + width] for at in range(0, len(run), width))
    redactor = Redactor([secret])
    for text in (folded, repr(folded), json.dumps({"body": folded}), folded.replace("\r", "")):
        assert redactor.clean(text).count(MASK) >= 1
        assert redactor.clean(redactor.clean(text)) == redactor.clean(text)


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=6)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def shape(value: Any) -> Any:
    """The value with its texts and names left out."""
    if isinstance(value, dict):
        return [shape(item) for item in value.values()]
    if isinstance(value, list):
        return (len(value), [shape(item) for item in value])
    return str if isinstance(value, str) else value


@drawn(
    secret=LONG_SECRET,
    value=VALUES,
    around=AROUND,
    name=st.sampled_from(sorted(ENCODERS)),
    few=40,
    many=400,
)
def test_json_keeps_its_shape(secret: str, value: Any, around: str, name: str) -> None:
    """Cleaning a JSON value masks names and texts and keeps codes, types, numbers and the count of
    members.
    """
    planted = ENCODERS[name](secret)
    body = {
        "code": "in_doubt",
        "value": value,
        "text": f"{around} {planted} {around}",
        f"{planted}": [planted, {"x": planted}],
    }
    redactor = Redactor([secret])
    assume(not any(map(redactor.holds, ("code", "value", "text"))))
    cleaned = redactor.clean_json(body)
    assert shape(cleaned) == shape(body)
    assert redactor.clean_json(cleaned) is cleaned
    assert next(iter(cleaned.values())) == "in_doubt"
    assert not redactor.holds(cleaned["text"])


@drawn(
    secret=st.text(alphabet=string.ascii_letters + string.digits, min_size=4, max_size=20),
    value=VALUES,
    data=st.data(),
    few=40,
    many=400,
)
def test_serialized_json_stays_json(secret: str, value: Any, data: st.DataObject) -> None:
    """Cleaning JSON text by a secret of letters and digits never breaks its quotes and escapes."""
    around = data.draw(st.text(alphabet='\n\t\\"é☃ab', max_size=6))
    assume(
        not any(secret in word for word in (json.dumps(value), "status", "text", "truefalsenull"))
    )
    text = json.dumps({"status": value, "text": f"{around}{secret}{around}"})
    cleaned = json.loads(Redactor([secret]).clean(text))
    assert shape(cleaned) == shape(json.loads(text))
    assert secret not in cleaned["text"]


@drawn(secrets=st.lists(SECRET, min_size=1, max_size=6), data=st.data(), few=20, many=400)
def test_few_secrets_are_masked_alike_beside_many(secrets: list[str], data: st.DataObject) -> None:
    """What is masked does not depend on how many other secrets there are: many are searched for in
    another way than few.
    """
    parts = st.tuples(AROUND, st.sampled_from(secrets), st.sampled_from(sorted(ENCODERS)))
    text = "".join(
        around + ENCODERS[name](secret)
        for around, secret, name in data.draw(st.lists(parts, min_size=1, max_size=4))
    )
    few, many = Redactor(secrets), Redactor([*secrets, *(f"€{number:07}§" for number in range(40))])
    for _ in range(40):  # many searches make an index worth its while
        many.clean("a text without a secret")
    assert many.clean(text) == few.clean(text)
    assert many.holds(text) == few.holds(text)


@drawn(text=st.text(), secrets=st.lists(SECRET, max_size=3), few=40, many=400)
def test_clean_and_holds_agree(text: str, secrets: list[str]) -> None:
    """A text holds a secret exactly where cleaning changes it, and else it is returned as the same
    object.
    """
    redactor = Redactor(secrets)
    assert redactor.holds(text) == (redactor.clean(text) is not text)
