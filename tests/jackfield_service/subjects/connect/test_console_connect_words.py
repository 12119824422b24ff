"""The connect page speaks to customers in their language: labels, guides, tests and hints are data
of the distributions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.subjects.connect.connect_browser import Person

from doc_pages import ROOT
from fake_aws import FakeAws, Role, User
from http_stand import SETTINGS, Client, Stand, standing
from jackfield.connections.audience import audience_of
from jackfield.connections.locales import Texts, texts_of
from jackfield.kernel.clock import SystemClock
from jackfield.schema.formats import FORMATS
from jackfield.testing import Answer, Provider
from jackfield_service.subjects.connect.session import account_named, told_apart

BASE = "/v1/workspaces/acme-1/connect-sessions"
FILES = sorted(
    path for part in ("connectors", "runtime") for path in (ROOT / part).glob("*/*/locales/*.json")
) + sorted((ROOT / "runtime").glob("*/locales/*.json"))
OURS = (
    "aws",
    "aws-ses",
    "github",
    "http",
    "imap",
    "mysql",
    "rabbitmq",
    "redis",
    "sftp",
    "slack",
    "stripe",
)
_ROLE = "arn:aws:iam::123456789012:role/acme"
OPERATORS = re.compile(r"[A-Z]+_[A-Z_]+|jackfield")


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a tenant."""
    folder: Path = tmp_path_factory.mktemp("words")
    with standing(folder, SETTINGS, clock=SystemClock()) as found:
        yield found


@pytest.fixture(scope="module")
def platform(stand: Stand) -> Client:
    """Its platform."""
    return stand.platform("token-4711")


def begin(stand: Stand, platform: Client, **body: Any) -> Person:
    """Somebody who has opened a session that needs no confirmation."""
    answer = platform.post(BASE, {"verify": "link", "locale": "de", **body})
    assert answer.status == 201, answer.body
    return Person(stand.port).go(answer.json["url"])


def test_every_curated_type_is_translated(stand: Stand) -> None:
    """Titles, descriptions and what a field expects, of all fields that a page may show; a guide
    for customers, or none.
    """
    german = texts_of("de")
    lacking: list[tuple[str, ...]] = []
    for kind in stand.host.runtime("acme-1").connections.kinds.all():
        family = kind.full_name.partition("/")[0]
        if family not in OURS or kind.full_name == "aws/awsDefault":  # which is the operator's
            continue
        about = kind.about
        lacking += [
            (kind.full_name, name)
            for name in ("title", "description", "setup")
            if not _has(german, kind.full_name, name, about)
        ]
        for name, field in kind.schema["properties"].items():
            if audience_of(kind.schema, name, authorizes=bool(about.authorizes)) == "operator":
                continue
            expects = field.get("x-jackfield", {}).get("expects")
            texts = filter(None, (field.get("title"), field.get("description"), expects))
            lacking += [(kind.full_name, name, text) for text in texts if german.find(text) is None]
    assert lacking == []


def _has(german: Texts, name: str, member: str, about: Any) -> bool:
    text = (
        " ".join(getattr(about, member).split())
        if member == "description"
        else getattr(about, member)
    )
    return not text or german.about(name, member, text) != text or german.find(text) is not None


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_a_file_of_texts_fits_its_keys(path: Path) -> None:
    """Each text has only the parts that its key has, and none tells a customer of variables or
    commands of an operator.
    """
    texts = json.loads(path.read_text(encoding="utf-8"))
    part = re.compile(r"\{[a-zA-Z]+\}")
    odd = [
        key
        for key, text in texts.items()
        if "#" not in key and not {*part.findall(text)} <= {*part.findall(key)}
    ]
    odd += [text for text in texts.values() if OPERATORS.search(text)]
    assert odd == []


def test_each_format_is_named_in_german() -> None:
    """What a value should be, after "Erwartet wird": no half of the sentence stays English."""
    german = texts_of("de")
    assert [noun for noun in FORMATS.values() if german.find(noun) in (None, noun)] == []


def test_texts_are_found_by_the_parts_that_vary() -> None:
    """A part that is a text itself is translated, too; the longest pattern counts, and what is
    unknown stays.
    """
    texts = Texts(
        [
            {"'{value}' is not {what}": "{value}: nicht {what}", "a name": "ein Name"},
            {"is not {what}": "nicht {what}", "a name": "no"},
        ]
    )
    assert texts.of("'x y' is not a name") == "x y: nicht ein Name"
    assert texts.of("is not {braces} at all") == "nicht {braces} at all"
    german = Texts(
        [{"{used} of {limit}": "{used} von {limit}", "so far: {what}": "bisher: {what}"}], "de"
    )
    assert german.of("so far: 1,234.5 of 50,000") == "bisher: 1.234,5 von 50.000"
    assert (texts.find("another"), texts.of("another")) == (None, "another")
    assert texts.find("is not " + "x" * 3000) is None


@pytest.mark.parametrize(
    ("hint", "left"),
    [
        ("Set AWS_ENDPOINT_URL_STS.", ""),
        ("Try later. Then check HTTPS_PROXY.", "Try later."),
        ("Try later.", "Try later."),
        ("Run 'jackfield doctor x'. Then try again.", "Then try again."),
        ("Use --allow-host.", ""),
    ],
)
def test_hints_for_customers_name_nothing_of_the_operators(hint: str, left: str) -> None:
    """A hint that is not worded for customers loses what they cannot do."""
    assert Texts([]).hint(hint) == left


def test_a_german_page_is_german(stand: Stand, platform: Client) -> None:
    """The form, a fault of a value, a test that fails at the provider, and what to do next."""
    with Provider(lambda _number, _request: Answer({"message": "bad key"}, 401)) as provider:
        values = {"server": provider.url, "testPath": "/me"}
        ada = begin(stand, platform, types=["http/apiKey"], defaults={"values": values}).begin()
        assert (
            "127.0.0.1 verbinden" in ada.said,
            "Der Schlüssel, den der Anbieter ausgestellt hat." in ada.said,
        ) == (True, True)
        assert (
            "Legen Sie in den Einstellungen Ihres Kontos beim Anbieter einen API-Schlüssel an."
            in ada.said
        )
        ada.press("Weiter")
        assert "Geben Sie einen Wert ein." in ada.said
        ada.press("Weiter", apiKey="k-4711")
        assert "Der Anbieter hat die Anmeldung abgelehnt: bad key (Status 401)" in ada.said
        assert "Was zu tun ist: Prüfen Sie, ob Sie alles vollständig kopiert haben" in ada.said
        assert not re.search(r"What to do|is required|credentials|Server\b", ada.said)


def test_a_role_is_described_in_german(stand: Stand, platform: Client) -> None:
    """A value that does not fit names what is expected."""
    keys = {"values": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s3cret"}}
    user = "arn:aws:iam::111122223333:user/shop"
    ada = begin(
        stand, platform, types=["aws-ses/awsAssumeRole"], principal=user, defaults=keys
    ).begin()
    assert "Amazon SES verbinden" in ada.said
    ada.press("Weiter", roleARN="acme")
    assert (
        "„acme“ passt nicht. Erwartet wird die ARN einer IAM-Rolle wie "
        "arn:aws:iam::123456789012:role/acme-ses"
    ) in ada.said
    assert "zum Beispiel arn:aws:iam" in ada.text


def test_a_server_without_https_is_told_in_german(stand: Stand, platform: Client) -> None:
    """A value of a format, whose noun the schema has and no connector."""
    ada = (
        begin(stand, platform, types=["http/bearer"], fields=["server", "token"])
        .begin()
        .press("Weiter", server="api.example.com", token="t")
    )
    assert (
        "„api.example.com“ passt nicht. Erwartet wird eine Adresse wie https://example.com/path"
        in ada.said
    )


@pytest.mark.parametrize(
    ("locale", "refused", "unknown", "denied"),
    [
        (
            "en",
            [
                f"AWS did not let the role {_ROLE} be assumed: ",
                f"Create the role {_ROLE}, and put this statement",
            ],
            ["Token-4711 has a problem on its side", "Nothing that you have entered is wrong"],
            ["could not be read: AWS refused", "You can connect all the same"],
        ),
        (
            "de",
            [
                f"AWS hat nicht zugelassen, dass die Rolle {_ROLE} angenommen wird: ",
                f"Legen Sie die Rolle {_ROLE} an",
            ],
            [
                "Token-4711 hat ein Problem auf der eigenen Seite",
                "Nichts, was Sie eingegeben haben, ist falsch",
            ],
            ["konnte nicht gelesen werden: AWS hat abgelehnt", "Sie können trotzdem verbinden"],
        ),
    ],
    ids=["en", "de"],
)
def test_what_aws_refuses_is_said_to_customers(
    stand: Stand,
    platform: Client,
    locale: str,
    refused: list[str],
    unknown: list[str],
    denied: list[str],
) -> None:
    """A role that trusts another External ID, a key of the platform's that AWS does not know, and
    an account that the role may not read: what was refused, and what to do, in the page's language
    and without names of our variables, commands and calls of STS.
    """
    user, key, other = (
        "arn:aws:iam::111122223333:user/shop",
        "AKIAIOSFODNN7EXAMPLE",
        _ROLE.replace("acme", "other"),
    )
    begins, goes = ("Begin", "Continue") if locale == "en" else ("Beginnen", "Weiter")
    enter, guide = (
        ("2. Enter the role", "Show me how")
        if locale == "en"
        else ("2. Die ARN der Rolle eingeben", "So geht es")
    )
    roles = {
        _ROLE: Role(external_id="another"),
        other: Role(external_id="acme:4711", allow=frozenset({"ses:SendEmail"})),
    }
    with FakeAws(roles=roles, users={key: User(secret="s3cret", arn=user)}) as aws:
        for role, given, texts in (
            (_ROLE, key, refused),
            (_ROLE, key.replace("EXAMPLE", "UNKNOWN"), unknown),
            (other, key, denied),
        ):
            values = {
                "accessKeyId": given,
                "secretAccessKey": "s3cret",
                "stsEndpoint": aws.url,
                "endpoint": aws.url,
                "externalId": "acme:4711",
            }
            asked = {
                "types": ["aws-ses/awsAssumeRole"],
                "principal": user,
                "defaults": {"values": values, "locked": [*values]},
            }
            ada = (
                begin(stand, platform, locale=locale, **asked)
                .press(begins)
                .press(goes, roleARN=role, region="eu-west-1")
            )
            seen = ada.said.partition(enter)[2] or ada.said
            # without the guide: what to do, the field, and the details
            tested = seen.partition(guide)[0] + seen.partition(goes)[2]
            assert [text for text in texts if text not in tested] == [], tested
            assert not re.search(
                r"(?<!sts:)AssumeRole on|was refused|STS |(?<!/)jackfield|[A-Z]+_[A-Z_]+|<the "
                r"External",
                tested,
            ), tested
            assert locale == "en" or not re.search(r"What |passed|failed|refused|Copy", tested), (
                tested
            )


def test_labels_of_a_session_are_its_words(stand: Stand, platform: Client) -> None:
    """For types that have no texts in the reader's language; what they leave out stays."""
    labels = {
        "echo/token": {
            "title": "Echo <im> Flur",
            "description": "Das Echo.",
            "fields": {"token": {"title": "Losung"}},
        }
    }
    ada = begin(stand, platform, types=["echo/token", "slack/botToken"], labels=labels).begin()
    assert ("Echo <im> Flur" in ada.said, "Das Echo." in ada.said, "<im>" in ada.text) == (
        True,
        True,
        False,
    )
    ada.press("Echo <im> Flur")
    assert ("Echo <im> Flur verbinden" in ada.said, "Losung" in ada.said) == (True, True)
    inner: dict[str, Any] = {"a": {"fields": {"b": {"fields": {}}}}}
    refused: list[tuple[Any, str]] = [
        ([], "/labels"),
        ({"echo/token": "x"}, "/labels/echo~1token"),
        ({"echo/token": {"other": "x"}}, "/labels/echo~1token/other"),
        ({"echo/token": {"title": "x" * 501}}, "/labels/echo~1token/title"),
        (inner, "/labels/a/fields/b/fields"),
    ]
    for wrong, place in refused:
        answer = platform.post(BASE, {"verify": "link", "labels": wrong})
        assert (answer.status, answer.json["details"][0]["path"]) == (400, place), wrong


@pytest.mark.parametrize("wrong", ["x" * 4_001, {"de": "x" * 4_001}, 5])
def test_a_guide_of_labels_has_a_limit(platform: Client, wrong: Any) -> None:
    """As other texts have."""
    answer = platform.post(BASE, {"verify": "link", "labels": {"echo/token": {"setup": wrong}}})
    path = answer.json["details"][0]["path"]
    assert (answer.status, path.startswith("/labels/echo~1token/setup")) == (400, True)


def test_labels_say_how_to_get_the_values(stand: Stand, platform: Client) -> None:
    """In the place of the type's guide, as Markdown without HTML, in the reader's language; an
    empty text leaves the guide out.
    """
    own = {"de": "Fragen Sie **Ada**.<script>alert(1)</script>", "en": "Ask **Ada**."}
    summaries = {"de": "So geht es", "en": "Show me how"}
    for locale, said, shipped in (
        ("de", "Fragen Sie <strong>Ada", "Legen Sie in den"),
        ("en", "Ask <strong>Ada", "settings of your"),
    ):
        asked = {
            "types": ["http/apiKey"],
            "defaults": {"values": {"server": "https://api.example.com"}},
            "locale": locale,
        }
        pages = [
            begin(stand, platform, **asked, labels={"http/apiKey": label}).begin()
            for label in ({"title": "Ada"}, {"setup": own}, {"setup": ""})
        ]
        found = [
            (summaries[locale] in page.said, said in page.text, shipped in page.said)
            for page in pages
        ]
        assert found == [(True, False, True), (True, True, False), (False, False, False)]
        assert "<script>alert" not in pages[1].text


def test_labels_have_a_text_for_each_language(stand: Stand, platform: Client) -> None:
    """A plain text is for all readers; of several, each reads his own or, if it is missing, another
    one, now and in later sessions.
    """
    labels = {
        "echo/token": {
            "title": {"en": "Hall of Echoes", "de": "Halle der Echos"},
            "description": {"en": "The echo alone."},
            "fields": {
                "token": {"title": {"en": "Watchword", "de": "Losung"}, "description": "Any."}
            },
        }
    }
    asked = {
        "verify": "link",
        "user": "ada",
        "types": ["echo/token"],
        "labels": labels,
        "connection": "two-languages",
    }
    for locale, begins, words in (
        ("de", "Beginnen", ("Halle der Echos", "Losung")),
        ("en", "Begin", ("Hall of Echoes", "Watchword")),
    ):
        made = platform.post(BASE, {**asked, "locale": locale})
        assert made.status == 201, made.body
        ada = Person(stand.port).go(made.json["url"]).press(begins)
        assert [word for word in (*words, "The echo alone.", "Any.") if word not in ada.said] == []
    ada.press("Continue", token="x").press("Connect")
    for locale, begins, title in (
        ("de", "Beginnen", "Halle der Echos"),
        ("en", "Begin", "Hall of Echoes"),
    ):
        made = platform.post(
            BASE, {"verify": "link", "user": "ada", "mode": "manage", "locale": locale}
        )
        assert title in Person(stand.port).go(made.json["url"]).press(begins).said
    for wrong in ({}, {"fr": "Salle"}, {"en": 5}, {"en": "x" * 501}, {"en": {"de": "x"}}):
        answer = platform.post(BASE, {**asked, "labels": {"echo/token": {"title": wrong}}})
        path = answer.json["details"][0]["path"]
        assert (answer.status, path.startswith("/labels/echo~1token/title")) == (400, True), wrong


def test_the_theme_names_who_asks(stand: Stand, platform: Client) -> None:
    """A token is called what its operator likes; the person knows the product."""
    assert (
        "Shop GmbH bittet Sie"
        in begin(stand, platform, types=["echo/token"], theme={"name": "Shop GmbH"}).said
    )
    assert "token-4711 bittet Sie" in begin(stand, platform, types=["echo/token"], theme={}).said


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ({"id": "7", "label": "ada@acme.example"}, "ada@acme.example"),
        ({"id": "ada", "label": "ada"}, "ada"),
        ({}, ""),
        (
            {"id": "123456789012", "label": "arn:aws:iam::123456789012:role/acme"},
            "arn:aws:iam::123456789012:role/acme",
        ),
        ({"id": "7"}, "7"),
    ],
)
def test_an_account_is_named_as_people_know_it(account: dict[str, str], name: str) -> None:
    """By the label alone; by the ID if there is none."""
    assert account_named(account) == name


def test_accounts_of_one_name_are_told_apart_by_their_ids() -> None:
    """An ID is shown where the labels say nothing, and only there."""
    ada, twin, bob = (
        {"id": number, "label": name} for number, name in (("7", "Ada"), ("8", "Ada"), ("9", "Bob"))
    )
    assert told_apart(ada, bob) == ("Ada", "Bob")
    assert told_apart(ada, twin) == ("Ada, 7", "Ada, 8")
