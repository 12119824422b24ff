"""The Redactor, case by case."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import quote

import pytest

from growth import calls
from jackfield.redaction.marks import MASK
from jackfield.redaction.redactor import Redactor

KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def test_longest_secret_leaves_no_suffix() -> None:
    """Of secrets that begin each other the longest one present is masked whole, in whatever order
    they were given.
    """
    for secrets in (["token-1", "token-123"], ["token-123", "token-1"]):
        assert Redactor(secrets).clean("a token-123 b token-1 c") == "a *** b *** c"


def test_overlapping_secrets_are_masked_as_one() -> None:
    """Two secrets that share characters in the text, or of which one is within the other, leave
    neither's rest, and neighbours stay two.
    """
    redactor = Redactor(["abcdef", "defghi"])
    assert redactor.clean("<abcdefghi>") == "<***>"
    assert Redactor(["abcdefghi", "cdef"]).clean("<abcdefghi>") == "<***>"
    assert redactor.clean("abcdefabcdef") == "******"
    assert Redactor(["abab"]).clean("ababab") == MASK


def test_a_mask_that_spells_a_secret_is_masked() -> None:
    """What masking brings together is masked too, and a text that never comes to rest is masked
    whole.
    """
    redactor = Redactor(["secr", "***a"])
    assert redactor.clean("<secraa>") == "<***>"
    assert redactor.clean(f"<secr{'a' * 100}>") == MASK


def test_repeated_characters_cost_no_more_than_their_length() -> None:
    """A secret that overlaps itself at every step is masked as one, in a long text too."""
    assert Redactor(["a" * 50_000]).clean(f"<{'a' * 120_000}>") == "<***>"
    assert Redactor(["aaaa"]).clean(f"<{'a' * 50_000}> aaa") == "<***> aaa"


def test_short_secrets_are_masked_as_tokens_only() -> None:
    """A secret of fewer than 4 characters is masked between non-alphanumerics and left within
    words.
    """
    redactor = Redactor(["a", "x7é"])
    assert redactor.clean("a banana, (a) x7é x7és") == "*** banana, (***) *** x7és"
    assert (
        redactor.clean("x7e\u0301 x%37%C3%A9 783763 7837c3a9 eDfDqQ==") == "*** *** 783763 *** ***"
    )


def test_asterisks_cannot_be_masked() -> None:
    """Blank secrets and those of asterisks only are ignored: a mask could not be told from them."""
    redactor = Redactor(["", "  \n", "*", "******", "\u2a2a"])
    assert redactor.clean("a ******* ** b") == "a ******* ** b"
    assert len(redactor) == 1


def test_trimmed_secret_is_masked() -> None:
    """A key stored with a line end is masked where it shows without."""
    assert Redactor([f" {KEY}\n"]).clean(f"key={KEY};") == "key=***;"


def test_line_ends_do_not_hide_a_secret() -> None:
    """A text of several lines is masked with either line end, whichever it was stored with."""
    for stored in ("line one\nline two", "line one\r\nline two"):
        redactor = Redactor([stored])
        for shown in ("line one\nline two", "line one\r\nline two", r"line one\r\nline two"):
            assert redactor.clean(f"<{shown}>") == "<***>"


@pytest.mark.parametrize(
    "shown",
    [
        "p%40ss+w%22%c3%B8rd",
        "p@ss%20w%22%F8rd",
        "p@ss w&quot;&oslash;rd",
        "p&#64;ss&#x20;w&#34;&#xF8;rd",
        r"p\u0040ss w\"\xf8rd",
        r"p@ss\x20w\"\U000000f8rd",
        r"\x70\x40\x73\x73\x20\x77\x22\xc3\xb8\x72\x64",
        "%70%40%73%73%20%77%22%C3%B8%72%64",
        'p=40ss =\r\nw"=C3=B8=\nrd',
        "p%u0040ss%20w%22%u00F8rd",
        "p%2540ss%2520w%2522%25C3%25B8rd",
        r"p\\u0040ss w\\\"\\u00f8rd",
    ],
)
def test_encoders_choose_what_they_escape(shown: str) -> None:
    """A secret is masked whichever of its characters were escaped, and where they were escaped
    twice.
    """
    assert Redactor(['p@ss w"ørd']).clean(f"<{shown}>") == "<***>"


def test_astral_characters_are_read_from_surrogates() -> None:
    """A character beyond the first plane is found as JSON's pair of escapes."""
    secret = "key-\U0001f511"
    assert Redactor([secret]).clean(json.dumps({"k": secret})) == '{"k": "***"}'


@pytest.mark.parametrize(
    "text", [r"\UFFFFFFFF", "&#9999999;", "&nosuchname;", "&fjlig;", r"\q %zz =zz &; \0", "%", "\\"]
)
def test_what_is_no_escape_stays(text: str) -> None:
    """Escapes that stand for no character are left, and a secret beside them is masked."""
    assert Redactor(["sesame"]).clean(f"sesame&amp;{text}sesame") == f"***&amp;{text}***"


def test_a_mask_cuts_no_escape_in_two() -> None:
    """A match that begins or ends within an escape takes the whole escape, so JSON stays JSON."""
    redactor = Redactor(["n1234", "zyx\\"])
    assert json.loads(redactor.clean(json.dumps("a\n1234 b"))) == "a*** b"
    assert json.loads(redactor.clean(r'"zyx\n b"')) == "*** b"


def test_whole_base64_and_url_encoded_base64_are_masked() -> None:
    """The SES query API's URL-encoded base64 and an HTTP Basic header hide nothing."""
    run = base64.b64encode(f"user:{KEY}>>>???".encode()).decode()
    redactor = Redactor([KEY, ">>>???>>>"])
    assert KEY[:9] not in base64.b64decode(redactor.clean(run).replace(MASK, "") + "===").decode(
        "latin-1"
    )
    query = "Data=" + base64.b64encode(b">>>???>>>").decode().replace("/", "%2F").replace(
        "+", "%2B"
    )
    assert redactor.clean(query) == "Data=***"


def test_a_chance_neighbour_of_base64_stays() -> None:
    """Where a run was cut at the stable middle, what is next to it is no base64 and stays."""
    middle = base64.b64encode(b"\0" + KEY.encode()).decode()[2:-4]
    assert Redactor([KEY[:-2]]).clean(f'"{middle}"').startswith('"***')


def test_large_texts_are_read_one_level_deep() -> None:
    """Beyond 256 Ki characters escapes are undone one time less than in others."""
    redactor = Redactor(["p@ssword"])
    padding = "x" * 300_000
    assert redactor.clean(f"{padding} p%40ssword") == f"{padding} ***"
    assert not redactor.holds(f"{padding} p%252540ssword")
    assert redactor.holds("p%252540ssword")


def test_a_whole_message_is_masked() -> None:
    """A long text of many lines is masked plain, escaped and in base64, as a short secret is."""
    message = "".join(f"Dear Ada,\n  line {number} of 300 with é\n" for number in range(300))
    redactor = Redactor([message])
    run = base64.b64encode(b"To: ada\r\n\r\n" + message.encode() + b"--").decode()
    for shown in (
        message,
        message.replace("\n", "\r\n"),
        json.dumps(message)[1:-1],
        repr(message.encode())[2:-1],
    ):
        assert redactor.clean(f"<{shown}>") in {"<***>", "<***\n>", "<***\r\n>"}
    assert redactor.clean(run)[-7:].count("*") >= 1
    assert len(redactor.clean(run)) < 30
    assert not redactor.holds(message[:1000])


def test_lone_surrogates_do_no_harm() -> None:
    """A secret that is no valid Unicode is masked too."""
    assert Redactor(["key\ud800key"]).clean("a key\ud800key b") == "a *** b"


def test_no_secret_is_a_no_op() -> None:
    """Without secrets every text and value comes back as it is."""
    redactor = Redactor([])
    value = {"a": ["b"]}
    assert redactor.clean_json(value) is value
    assert redactor.clean("abc") == "abc"
    assert not redactor.holds("abc")
    assert not redactor


def test_json_names_that_become_equal_are_all_kept() -> None:
    """Two names masked alike stay two members."""
    cleaned = Redactor(["secret1", "secret2"]).clean_json(
        {"secret1": 1, "secret2": 2, "***": 3, 4: 5}
    )
    assert cleaned == {"***": 1, "****": 2, "*****": 3, 4: 5}


def test_json_unchanged_is_the_same_object() -> None:
    """Where nothing was masked the very same object comes back, part by part."""
    kept = {"items": [1, 2.5, None, True, "text"]}
    value = {"kept": kept, "text": f"<{KEY}>"}
    redactor = Redactor([KEY])
    assert redactor.clean_json(kept) is kept
    cleaned = redactor.clean_json(value)
    assert cleaned == {"kept": kept, "text": "<***>"}
    assert cleaned["kept"] is kept
    assert value["text"] == f"<{KEY}>"


def test_codes_stay() -> None:
    """A contract code stays even where a secret is spelt like it; the same word elsewhere is
    masked.
    """
    value = {"code": "timeout", "message": "timeout", "provider": {"code": "Hunter2!"}}
    cleaned = Redactor(["timeout", "Hunter2!"]).clean_json(value)
    assert cleaned == {"code": "timeout", "message": MASK, "provider": {"code": MASK}}


def test_extended_masks_old_and_new() -> None:
    """A Redactor with more secrets is a new one; the old one knows nothing of them."""
    old = Redactor(["first-key"])
    new = old.extended(["second-key"])
    assert new.clean("first-key second-key") == "*** ***"
    assert old.clean("first-key second-key") == "*** second-key"
    assert old.extended(["first-key"]) is old
    assert Redactor().joined(old) is old


@pytest.mark.parametrize("wrong", ["onetext", [b"octets"], [None]])
def test_wrong_secrets_are_refused(wrong: Any) -> None:
    """One text instead of many, or what is no text, is refused without being shown."""
    with pytest.raises(TypeError) as caught:
        Redactor(wrong)
    assert "onetext" not in str(caught.value)
    assert "octets" not in str(caught.value)


def test_redactor_shows_and_gives_away_nothing() -> None:
    """Its repr is a count, copies are itself, and pickle and changes are refused."""
    redactor = Redactor([KEY, KEY])
    redactor.clean(KEY)
    assert repr(redactor) == "Redactor(1 secrets)"
    assert copy.copy(redactor) is redactor
    assert copy.deepcopy({"r": redactor})["r"] is redactor
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(redactor, protocol)
    with pytest.raises(AttributeError):
        redactor._forms = {}
    with pytest.raises(AttributeError):
        del redactor._forms


def test_import_loads_nothing_heavy() -> None:
    """Importing the package, and the Redactor too, leaves logging, codecs and tables alone."""
    heavy = "{'logging', 'json', 'base64', 'html', 'unicodedata', 'urllib.parse', 'traceback'}"
    parts = (
        "from jackfield.redaction.marks import masked; from jackfield.redaction.redactor "
        "import Redactor"
    )
    code = f"import sys; {parts}; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert found.stdout.strip() == "[]"


FOLDED: dict[str, Callable[[str], str]] = {
    "lower-cased": lambda secret: secret.lower(),
    "upper-cased": lambda secret: secret.upper(),
    "swapped": lambda secret: secret.swapcase(),
    "in a host": lambda secret: f"https://email.{secret.lower()}.amazonaws.com:443/x",
    "quoted and lower-cased": lambda secret: quote(secret, safe="").lower(),
    "lower-cased and quoted": lambda secret: quote(secret.lower(), safe=""),
    "behind a character that grows": lambda secret: f"\u0130\u0130 {secret.lower()} \u0130",
    "in JSON": lambda secret: json.dumps({"k": f"\u00e4 {secret.upper()}"}),
}


@pytest.mark.parametrize("name", FOLDED)
@pytest.mark.parametrize(
    "secret", ["Eu-Secret-West-1", "wJalrXUtnFEMI/K7MDENG", 'p"Ass\\Word 42', "Zq7vLong" * 700]
)
def test_h11_a_long_secret_is_masked_in_any_case(name: str, secret: str) -> None:
    """Eight characters of ASCII or more: found however their case was changed, with all around them
    left alone; cleaned once for all.
    """
    redactor, text = Redactor([secret]), f"before {FOLDED[name](secret)} behind"
    cleaned = redactor.clean(text)
    assert secret.lower() not in cleaned.lower()
    assert quote(secret, safe="").lower() not in cleaned.lower()
    assert (cleaned.startswith("before "), cleaned.endswith(" behind"), "***" in cleaned) == (
        True,
        True,
        True,
    )
    assert cleaned.count("\u0130") == text.count("\u0130")
    assert (redactor.holds(text), redactor.holds(cleaned), redactor.clean(cleaned)) == (
        True,
        False,
        cleaned,
    )


def test_h11_short_secrets_keep_their_case() -> None:
    """A secret of fewer than eight characters is masked as it is written: in any case it would take
    ordinary words away.
    """
    assert Redactor(["Secret7"]).clean("Secret7 and secret7") == "*** and secret7"
    assert Redactor(["Geheimnis-\u00e4"]).clean("GEHEIMNIS-\u00c4") == "GEHEIMNIS-\u00c4"


def test_h11_json_pointers_are_masked() -> None:
    """A secret as a member's name in a JSON Pointer, where slashes and tildes are escaped."""
    assert Redactor(["a/b~c/d"]).clean("/values/a~1b~0c~1d/0") == "/values/***/0"


def test_s2_many_secrets_take_no_more_work_than_few() -> None:
    """A connection brings 128 secrets and its answer has 2,000 texts: redaction takes about as many
    calls as with 20 secrets, not six times as many.
    """
    texts = [
        f"item {number} of a list" if number % 5 else f"item {number}: {KEY}"
        for number in range(2000)
    ]
    work = {}
    for count in (20, 128, 512):
        redactor = Redactor(
            [KEY, *(f"secret-{number:04}-{number * 7919 % 10007:05}" for number in range(1, count))]
        )
        redactor.clean_json(texts[:50])  # builds what is searched for
        work[count] = calls(lambda redactor=redactor: redactor.clean_json(texts))  # type: ignore[misc]
    assert work[512] < 1.1 * work[20]
    assert work[20] < 60 * len(texts)


def test_s2_secrets_that_begin_each_other_take_no_more_work() -> None:
    """Secrets each of which begins the next one are told apart in a number of steps that hardly
    grows with them.
    """
    text, work = "x" + "a" * 3000, {}
    for count in (20, 160):
        redactor = Redactor("a" * size for size in range(12, 12 + count))
        assert redactor.clean_json([text] * 40) == [f"x{MASK}"] * 40
        work[count] = calls(lambda redactor=redactor: redactor.clean(text))  # type: ignore[misc]
    assert work[160] < 2 * work[20]


class _Watched(str):
    """A text that counts the looks at its parts."""

    __slots__ = ("looks",)

    looks: int

    def __new__(cls, text: str) -> Self:
        """Begin at none."""
        watched = super().__new__(cls, text)
        watched.looks = 0
        return watched

    def __getitem__(self, key: Any) -> str:
        """Count one look."""
        self.looks += 1
        return super().__getitem__(key)


def test_i23_many_secrets_are_sought_at_a_ninth_of_the_places_of_a_text() -> None:
    """An answer of 24 MiB with 400,000 secrets was searched for 20 of them at each character, which
    took most of its 12 seconds: texts are searched at every ninth place, and twice as much text
    takes twice the looks.
    """
    redactor = Redactor([KEY, *(f"another-secret-{number:04}" for number in range(40))])
    redactor.clean("x" * 100_000)  # builds what is searched for
    texts = [_Watched(f"{'one of many items ' * count}{KEY}") for count in (1000, 2000, 4000)]
    assert [redactor.clean(text)[-len(MASK) :] for text in texts] == [MASK] * 3
    assert all(text.looks < len(text) / 8 for text in texts)
    assert texts[2].looks < 2.1 * texts[1].looks < 4.3 * texts[0].looks


@pytest.mark.parametrize("size", [4, 5, 7, 11, 12, 13, 30])
def test_i23_many_secrets_of_any_length_are_found_at_any_place(size: int) -> None:
    """Twenty secrets of one length, the shortest of which decides how far apart a text is looked
    at: each is found at the beginning, at the end, and after any number of characters.
    """
    secrets = [f"{chr(ord('A') + number)}{'q7w-x2z' * 5}"[:size] for number in range(20)]
    redactor = Redactor(secrets)
    redactor.clean(". " * 100_000)  # builds what is searched for
    for before in range(30):
        for secret in secrets[:: 1 + before % 3]:
            assert redactor.clean(f"{'.' * before}{secret}") == f"{'.' * before}{MASK}"
            assert (
                redactor.clean(f"{'.' * before}{secret}, {secret}.")
                == f"{'.' * before}{MASK}, {MASK}."
            )
