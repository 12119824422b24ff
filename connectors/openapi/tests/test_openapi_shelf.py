"""The shelf: its commands, the files of services, and what is refused in them. ``make shelf-test``
runs the services themselves.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from jackfield.cli.main import main
from jackfield.connector import InvalidInput
from jackfield_openapi.shelf.answers import QUESTIONS, REASONS
from jackfield_openapi.shelf.projects import project_files, write_project
from jackfield_openapi.shelf.services import read_shelf

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")
_SERVICE = """openapi: 3.1.0
info: {title: Acme, version: "1", description: Things of Acme., license: {name: Apache-2.0, identifier: Apache-2.0}}
servers: [{url: "https://api.acme.example/v1"}]
x-shelf:
  key: acme
  categories: [things]
  docs: https://acme.example/docs
  signIns:
    token: {kind: bearer, title: Token, setup: Ask Acme.}
    oauth: {family: acme, scopes: {read: Read}}
  account: {id: /id, label: [/email]}
  errors: {like: rest, code: /code, rows: [{status: 404, error: not_found, hint: Look it up.}]}
  paging: {cursor: {kind: token, input: cursor, response: /next}}
  limit: {perSecond: 2}
  tasks: {show acme things: listThings}
  seen: [{about: The address, url: "https://acme.example/docs", on: 2026-11-26}]
components:
  schemas:
    Me: {type: object, properties: {id: {type: string}, email: {type: string}}}
    Page: {type: object, properties: {items: {type: array, items: {type: object}}, next: {type: string}}}
paths:
  /me:
    get:
      operationId: getMe
      summary: Show the account
      responses: {"200": {description: It., content: {application/json: {schema: {$ref: "#/components/schemas/Me"}}}}}
      x-jackfield: {probe: true}
  /things:
    get:
      operationId: listThings
      summary: List things
      parameters: [{name: cursor, in: query, schema: {type: string}, description: Where the page begins.}]
      responses: {"200": {description: They., content: {application/json: {schema: {$ref: "#/components/schemas/Page"}}}}}
      x-jackfield: {pagination: {like: cursor, items: /items}}
"""
_ANSWERS = ", ".join(f"{name}: none" for name in QUESTIONS if name != "empty")
_FAMILY = """acme:
  {kind: oauth2, authorizationUrl: "https://acme.example/auth", tokenUrl: "https://acme.example/token", client: body, title: Acme account}
google: {kind: oauth2, authorizationUrl: "https://accounts.example/auth", tokenUrl: "https://accounts.example/token"}
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A shelf with one service, a family and an error table."""
    folder = tmp_path / "shelf"
    (folder / "services").mkdir(parents=True)
    (folder / "services" / "acme.yaml").write_text(_SERVICE)
    (folder / "sign-ins.yaml").write_text(_FAMILY)
    (folder / "errors.yaml").write_text(
        "rest: {rows: [{status: 401, error: unauthenticated, hint: Check the token.}]}\n"
    )
    (folder / "LICENSE").write_text("Apache-2.0\n")
    return folder


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code = main([*words, "--json"])
    said = capsys.readouterr().out
    return code, json.loads(said) if said else None


def test_a_file_is_expanded(shelf: Path) -> None:
    """Families, tables, rules of paging and limits come from where they are shared; the rest is
    plain OpenAPI.
    """
    service = read_shelf(shelf)[0]
    files = project_files(service, "text")
    manifest = json.loads(files["jackfield_acme/connector.json"])
    account = next(row for row in manifest["connectionTypes"] if row["key"] == "oauth")
    assert [row["key"] for row in manifest["connectionTypes"]] == ["token", "oauth"]
    assert account["http"]["credentials"][0]["clientAuthentication"] == "body"
    assert account["schema"]["properties"]["scopes"]["default"] == "read"
    assert account["http"]["account"] == {"id": "/id", "label": ["/email"]}
    assert [row["status"] for row in manifest["http"]["errors"]["rows"]] == [404, 401]
    listed = next(action for action in manifest["actions"] if action["key"] == "listThings")
    assert (listed["pagination"]["tokenInput"], listed["rateLimit"]) == ("cursor", {"perSecond": 2})
    readme = files["README.md"].decode()
    assert "Tier of proof: *written*." in readme
    assert "seen on <https://acme.example/docs> on 2026-11-26" in readme
    assert "not made or endorsed by" in readme
    fact = {"about": "The address", "url": "https://acme.example/docs", "on": "2026-11-26"}
    proof = {"tier": "written", "facts": [fact], "known": [*QUESTIONS.values()]}
    assert manifest["listing"] == {"tasks": {"show acme things": "listThings"}, "proof": proof}


def test_a_secret_is_called_what_the_provider_calls_it(shelf: Path) -> None:
    """By the title of its sign-in, unless the file gives the field one; a part of the address by
    its name, as words.
    """
    file = shelf / "services" / "acme.yaml"
    text = file.read_text()
    address = (
        'servers: [{url: "https://api.acme.net/{accountRegion}", variables: {accountRegion: '
        '{default: ""}}}]'
    )
    text = re.sub(r"^servers: .*$", address, text, flags=re.MULTILINE)
    titles = []
    for own in ("", ", fields: {token: {title: Passphrase}}"):
        file.write_text(
            text.replace(
                "token: {kind: bearer, title: Token",
                f"token: {{kind: bearer, title: Personal access token{own}",
            )
        )
        manifest = json.loads(
            project_files(read_shelf(shelf)[0], "text")["jackfield_acme/connector.json"]
        )
        fields = manifest["connectionTypes"][0]["schema"]["properties"]
        titles.append((fields["token"]["title"], fields["serverAccountRegion"]["title"]))
    assert titles == [("Personal access token", "Account region"), ("Passphrase", "Account region")]


_HOST = """servers: [{url: "https://{host}/v1", variables: {host: {default: %s}}}]"""
_PART = """servers: [{url: "https://{name}.acme.example/v1", variables: {name: {default: %s}}}]"""


@pytest.mark.parametrize(
    ("servers", "is_refused"),
    [
        (_PART % "example", True),
        (_PART % "us1", True),
        (_HOST % "acme.example.com", True),
        (_PART % "''", False),
        (_PART % "us1, enum: [us1, eu1]", False),
        (_HOST % "api.acme.net", False),
    ],
)
def test_a_server_has_no_made_up_default(shelf: Path, servers: str, is_refused: bool) -> None:
    """Credentials of who leaves a name out would go to somebody else's host: only a whole host and
    one of several values are defaults.
    """
    (shelf / "services" / "acme.yaml").write_text(
        _SERVICE.replace('servers: [{url: "https://api.acme.example/v1"}]', servers)
    )
    if is_refused:
        with pytest.raises(InvalidInput, match="leave it empty"):
            read_shelf(shelf)
    else:
        manifest = json.loads(
            project_files(read_shelf(shelf)[0], "text")["jackfield_acme/connector.json"]
        )
        needed = [
            name
            for name in manifest["connectionTypes"][0]["schema"]["required"]
            if name.startswith("server")
        ]
        assert needed == (["serverName"] if "''" in servers else [])


def test_a_service_has_triggers(shelf: Path) -> None:
    """They are written as in overlays, and name an action of the file."""
    poll = "{action: listThings, items: /items, id: /id}"
    event = "{required: [id], properties: {id: {type: string, description: ID of it.}}}"
    line = (
        f"triggers: {{things: {{title: Things, description: Things of Acme., inputs: [], "
        f"http: {{poll: {poll}}}, event: {event}}}}}"
    )
    file = shelf / "services" / "acme.yaml"
    file.write_text(_SERVICE.replace("  limit:", f"  {line}\n  limit:"))
    manifest = json.loads(
        project_files(read_shelf(shelf)[0], "text")["jackfield_acme/connector.json"]
    )
    assert [(row["key"], row["kind"]) for row in manifest["triggers"]] == [("things", "poll")]


@pytest.mark.parametrize(
    ("line", "tier", "shown"),
    [
        ("known: [The rest]", {"tier": "written"}, "*written*."),
        (
            "recorded: 2026-11-20",
            {"tier": "recorded", "on": "2026-11-20"},
            "*recorded* on 2026-11-20.",
        ),
        (
            "",
            {"tier": "checked", "on": "2026-11-25", "document": "npm:acme-api 2.0.0"},
            "*checked* against npm:acme-api 2.0.0 on 2026-11-25.",
        ),
    ],
)
def test_a_service_says_how_far_it_is_proven(
    shelf: Path, line: str, tier: dict[str, str], shown: str
) -> None:
    """It is written until it was compared with a document of the provider, or recorded there."""
    file = shelf / "services" / "acme.yaml"
    file.write_text(_SERVICE.replace("  limit:", f"  {line}\n  limit:"))
    if not line:
        (shelf / "sources.lock.yaml").write_text(
            "acme: {package: 'npm:acme-api', version: 2.0.0, on: 2026-11-25}\n"
        )
    service = read_shelf(shelf)[0]
    assert tier.items() <= service.proof.items()
    assert f"Tier of proof: {shown}" in project_files(service, "text")["README.md"].decode()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("key: acme\n", "key: other\n", "as the file is called"),
        ("  limit:", "  limits:", "has no member 'limits'"),
        ("family: acme", "family: nobody", "no family 'nobody'"),
        ("kind: bearer", "kind: magic", "of the kind"),
        ("title: Token,", "titel: Token,", "no member 'titel'"),
        ("like: rest", "like: soap", "no table 'soap'"),
        ("like: cursor", "like: nothing", "no paging 'nothing'"),
        ("on: 2026-11-26", "on: lately", "a date"),
        ("on: 2026-11-26", "on: 2999-01-01", "which is to come"),
        (
            "id: /id, label",
            "id: /idd, label",
            "names '/idd', which the answer to the test does not declare",
        ),
        ("label: [/email]", "label: [/user/email]", "names '/user/email'"),
        (
            "items: /items}",
            "items: /item}",
            (
                r"'pagination' of 'listThings' names '/item' \('items'\), which its answer does "
                r"not declare"
            ),
        ),
        ("items: /items}", "items: /items, more: /hasmore}", "names '/hasmore'"),
        (
            "  limit:",
            "  first: listThing\n  limit:",
            "'first' names no operation 'listThing'; did you mean 'listThings'",
        ),
        (
            "family: acme, ",
            "kind: oauth2, authorizationUrl: 'https://a.example', ",
            "of the kind 'oauth2' needs 'tokenUrl'",
        ),
        ("  docs: https://acme.example/docs\n", "", "needs 'docs'"),
        ("family: acme", "family: google", "of the table 'google'"),
        ("  limit:", "  noEvidence: People see it.\n  limit:", "'noEvidence' is one of seen, "),
        (
            "x-jackfield: {pagination:",
            "x-jackfield: {noEvidence: secret, pagination:",
            "not 'secret'",
        ),
        (
            "  limit:",
            "  answers: {on: 2026-11-26, ends: none}\n  limit:",
            "'answers' has 'on' and outcomes, ",
        ),
        (
            "  limit:",
            "  answers: {ANSWERS, empty: yes, on: 2026-11-26}\n  limit:",
            "'empty' in 'answers' has 'says' and 'url'",
        ),
        (
            "  limit:",
            (
                "  answers: {ANSWERS, empty: none, on: 2026-11-26}\n  evidence: {listThings: "
                "{}}\n  limit:"
            ),
            "see 'listThings'",
        ),
    ],
)
def test_a_slip_in_a_service_is_refused(shelf: Path, old: str, new: str, reason: str) -> None:
    """The message names the file and what is wrong with it."""
    file = shelf / "services" / "acme.yaml"
    file.write_text(_SERVICE.replace(old, new).replace("ANSWERS", _ANSWERS))
    with pytest.raises(InvalidInput, match=reason):
        read_shelf(shelf)


def test_answers_are_facts_with_their_pages_and_unknown_ones_are_told(shelf: Path) -> None:
    """What has a page is seen there, what is unknown is told as not seen, and what does not arise
    is neither; a word is a sentence.
    """
    file = shelf / "services" / "acme.yaml"
    page = "https://acme.example/limits"
    given = _ANSWERS.replace("ends: none", "ends: unknown")
    answers = (
        f"  answers: {{{given}, empty: {{says: An empty list, url: '{page}'}}, on: 2026-11-27}}\n"
    )
    facts = f"  evidence: {{createThing: {{takes: '{page}', returns: '{page}', finds: unknown}}}}\n"
    text = _SERVICE.replace("  limit:", f"{answers}{facts}  limit:") + _WRITE.replace(
        "LOOK", _LOOK.replace("WHEN", "when: [{}], ")
    )
    file.write_text(
        text.replace(
            "items: {type: object}",
            "items: {type: object, properties: {reference: {type: string}}}",
        )
    )
    proof = read_shelf(shelf)[0].proof
    told = [(fact["about"], fact["url"]) for fact in proof["facts"] if fact["on"] == "2026-11-27"]
    assert ("Empty pages: An empty list", page) in told
    assert ("Evidence of createThing: the write takes the member", page) in told
    assert proof["known"] == ["Ends of lists", "Evidence of createThing: that read finds it"]
    file.write_text(
        _SERVICE.replace("  limit:", "  noEvidence: seen\n  limit:")
        + _WRITE.partition("      x-jackfield")[0]
    )
    assert (
        REASONS["seen"]
        in project_files(read_shelf(shelf)[0], "text")["jackfield_acme/connector.json"].decode()
    )


@pytest.mark.parametrize(
    ("slips", "reason"),
    [
        (
            {"name: cursor,": "name: after,", "{like: cursor,": "{kind: lastId, input: before,"},
            "'listThings' goes on by 'before', so it has no parameter 'after'",
        ),
        (
            {
                "name: cursor, in: query,": "name: If-Match, in: header, required: true,",
                "/things:\n    get:": "/things:\n    put:",
            },
            "'listThings' needs 'If-Match', so its effect is 'write'",
        ),
    ],
)
def test_a_service_that_contradicts_itself_is_refused(
    shelf: Path, slips: dict[str, str], reason: str
) -> None:
    """Inputs that exclude each other would end a list early; a change of a version is refused as
    soon as it was made.
    """
    text = _SERVICE
    for old, new in slips.items():
        text = text.replace(old, new)
    (shelf / "services" / "acme.yaml").write_text(text)
    with pytest.raises(InvalidInput, match=reason):
        read_shelf(shelf)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [b\nc: d\n", "line 2, column 2 (while parsing a flow sequence"),
        ("a: b\n c: d\n", "line 2, column 3"),
        ("a: 1\nb: @x\n", "line 2, column 4"),
        ('{"a": 1,\n  ]}', "line 2 column 3"),
    ],
)
def test_a_slip_in_yaml_is_told_with_its_place(shelf: Path, text: str, place: str) -> None:
    """Line and column are those of what is wrong, not of what it is in."""
    (shelf / "services" / "acme.yaml").write_text(text)
    with pytest.raises(InvalidInput) as refused:
        read_shelf(shelf)
    assert "acme.yaml' cannot be read: it is not " in refused.value.message
    assert place in refused.value.message


def test_a_misspelt_member_of_an_operation_is_refused(shelf: Path) -> None:
    """In a shelf as in any document: what is ignored in silence changes what may be repeated."""
    file = shelf / "services" / "acme.yaml"
    file.write_text(_SERVICE.replace("{probe: true}", "{probe: true, efect: read}"))
    with pytest.raises(
        InvalidInput, match=r"'x-jackfield' of GET /me has no member 'efect'; did you mean 'effect'"
    ):
        project_files(read_shelf(shelf)[0], "text")


@pytest.mark.parametrize(
    ("fixed", "secret"), [("fixed: {password: ''}, ", ""), ("", ", secret: true")]
)
def test_a_key_that_is_a_user_name_is_a_secret(shelf: Path, fixed: str, secret: str) -> None:
    """Beside a fixed password by itself; elsewhere where the file says so."""
    file = shelf / "services" / "acme.yaml"
    given = (
        f"token: {{kind: basic, title: Key, setup: Ask., {fixed}fields: {{username: {{title: "
        f"API key{secret}}}}}}}"
    )
    file.write_text(
        _SERVICE.replace("token: {kind: bearer, title: Token, setup: Ask Acme.}", given)
    )
    manifest = json.loads(
        project_files(read_shelf(shelf)[0], "text")["jackfield_acme/connector.json"]
    )
    field = manifest["connectionTypes"][0]["schema"]["properties"]["username"]
    assert (field["title"], field["writeOnly"]) == ("API key", True)


def test_services_are_listed_and_built(
    shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second build changes nothing; a service that does not exist is named."""
    code, said = _run(capsys, "shelf", "list", "--shelf", str(shelf))
    row = {
        "key": "acme",
        "title": "Acme",
        "actions": 2,
        "triggers": [],
        "signIns": ["bearer", "oauth2"],
        "proof": "written",
    }
    assert (code, said["services"]) == (0, [row])
    out = str(tmp_path / "out")
    assert _run(capsys, "shelf", "build", "--shelf", str(shelf), "--out", out)[0] == 0
    assert (
        _run(capsys, "shelf", "build", "acme", "--shelf", str(shelf), "--out", out)[1]["built"][0][
            "changed"
        ]
        == 0
    )
    assert _run(capsys, "shelf", "licences", "--shelf", str(shelf)) == (
        0,
        {"services": 1, "sources": 0, "exceptions": []},
    )
    assert main(["shelf", "build", "nobody", "--shelf", str(shelf)]) == 2


def test_what_is_missing_is_said_in_words_of_the_file(
    shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its author writes no Python. A service that a person alone can approve says so, and what else
    it needs.
    """
    file = shelf / "services" / "acme.yaml"
    file.write_text(
        _SERVICE.replace("    token: {kind: bearer, title: Token, setup: Ask Acme.}\n", "")
    )
    code, said = _run(
        capsys,
        "shelf",
        "build",
        "acme",
        "--shelf",
        str(shelf),
        "--out",
        str(tmp_path / "out"),
        "--check",
    )
    missing = {text.partition(":")[0]: text for text in said["built"][0]["missing"]}
    assert (code, said["built"][0]["grade"]) == (0, "silver")
    assert (
        "2 of 2 actions are not run (a person approves its connection)"
        in missing["actions-are-run"]
    )
    assert "{kind: bearer}" in missing["actions-are-run"]
    assert "in 'signIns' of 'x-shelf'" in missing["setup-explained"]


@pytest.mark.parametrize("ends", [", emptyEnds: true", ""])
def test_lists_whose_empty_page_ends_them_are_complete(
    shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], ends: str
) -> None:
    """The check of pages has an empty one in the middle of a list, but not where it is declared
    that such a page is the last.
    """
    file = shelf / "services" / "acme.yaml"
    file.write_text(
        _SERVICE.replace(
            "{kind: token, input: cursor, response: /next}", f"{{kind: url, response: /next{ends}}}"
        )
    )
    _, said = _run(
        capsys,
        "shelf",
        "build",
        "acme",
        "--shelf",
        str(shelf),
        "--out",
        str(tmp_path / "out"),
        "--check",
    )
    assert {found.partition(":")[0] for found in said["built"][0]["missing"]}.isdisjoint(
        {"pages-are-complete", "actions-are-run"}
    )


def test_wheels_are_signed_and_can_be_published(
    shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their attestations are those of ``jackfield sign``, and stay as they are while the wheels
    do.
    """
    key, out = str(tmp_path / "acme.key"), tmp_path / "out"
    assert main(["publisher", "new", "acme", "--out", key]) == 0
    build = (
        "shelf",
        "build",
        "--shelf",
        str(shelf),
        "--out",
        str(out),
        "--check",
        "--pack",
        "--at-least",
        "bronze",
        "--key",
        key,
    )
    capsys.readouterr()
    code, said = _run(capsys, *build)
    assert (code, said["built"][0]["signedBy"]) == (0, "acme")
    wheel = said["built"][0]["wheel"]
    attestation = Path(f"{wheel}.attestation.json")
    before = attestation.read_bytes()
    code, said = _run(capsys, "verify", wheel, "--publisher", f"{key}.pub")
    assert (code, said["verified"], said["trusted"]) == (0, True, True)
    assert _run(capsys, *build)[0] == 0
    assert attestation.read_bytes() == before
    site = str(tmp_path / "site")
    assert _run(capsys, "catalogue", "init", site)[0] == 0
    code, said = _run(
        capsys,
        "catalogue",
        "build",
        str(out / "dist"),
        "--out",
        site,
        "--checks",
        str(out / "checks"),
    )
    assert code == 0, said
    assert said["added"] == [Path(wheel).name]


def test_a_key_without_packing_is_refused(shelf: Path, tmp_path: Path) -> None:
    """Nothing would be signed."""
    assert (
        main(["shelf", "build", "--shelf", str(shelf), "--out", str(tmp_path), "--key", "acme.key"])
        == 2
    )


def test_a_text_that_changes_is_written_again(shelf: Path, tmp_path: Path) -> None:
    """README and project file of a shelf belong to the file, not to the folder."""
    service = read_shelf(shelf)[0]
    write_project(tmp_path / "p", project_files(service, "text"))
    (tmp_path / "p" / "README.md").write_text("mine")
    assert write_project(tmp_path / "p", project_files(service, "text")) == ["README.md"]


_LOOK = (
    "{key: list, action: listThings, WHENeach: /items, match: [{at: /reference, is: "
    "{$marker: {}}}]}"
)
_WRITE = """    post:
      operationId: createThing
      summary: Create a thing
      requestBody: {content: {application/json: {schema: {type: object, properties: {reference: {type: string, description: Yours.}}}}}}
      responses: {"200": {description: It., content: {application/json: {schema: {type: object, properties: {id: {type: string}}}}}}}
      x-jackfield: {marker: {at: /reference}, evidence: [LOOK]}
"""


@pytest.mark.parametrize(
    ("when", "is_missing"),
    [
        ("", True),
        ("when: [{}], ", False),
        ("when: [{took: {/state: [done]}, refused: {/state: [failed]}}], ", False),
    ],
)
def test_evidence_of_a_thing_with_a_status_says_what_means_success(
    shelf: Path, capsys: pytest.CaptureFixture[str], when: str, *, is_missing: bool
) -> None:
    """A check asks for the values of success wherever the thing that evidence finds has a status:
    it may be there, and have failed.
    """
    file, item = (
        shelf / "services" / "acme.yaml",
        "{type: object, properties: {reference: {type: string}, state: {type: string}}}",
    )
    text = _SERVICE.replace("items: {type: object}", f"items: {item}") + _WRITE.replace(
        "LOOK", _LOOK.replace("WHEN", when)
    )
    file.write_text(text)
    _, said = _run(
        capsys,
        "shelf",
        "build",
        "acme",
        "--shelf",
        str(shelf),
        "--out",
        str(shelf / "out"),
        "--check",
    )
    told = [
        text for text in said["built"][0]["missing"] if text.startswith("evidence-says-success")
    ]
    assert bool(told) is is_missing, said
    assert (said["built"][0]["grade"] == "none") is is_missing, said


def test_a_new_service_is_a_file_that_can_be_read(
    shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It asks for changes where the provider's facts belong, and cannot be silver before; a key
    that is taken is refused.
    """
    code, said = _run(capsys, "shelf", "new", "widget-works", "--shelf", str(shelf))
    assert code == 0
    assert "CHANGE ME" in Path(said["file"]).read_text()
    code, said = _run(
        capsys,
        "shelf",
        "build",
        "widget-works",
        "--shelf",
        str(shelf),
        "--out",
        str(shelf / "out"),
        "--check",
    )
    built = said["built"][0]
    assert (code, built["grade"]) == (1, "bronze")
    assert [
        text.partition(":")[0]
        for text in built["missing"]
        if not text.startswith(("facts-seen", "doubts-have-evidence"))
    ] == ["placeholders-replaced"]
    assert (shelf / "out" / "checks" / "widget-works-0.1.0.json").is_file()
    assert [service.title for service in read_shelf(shelf)] == ["Acme", "Widget Works"]
    assert main(["shelf", "new", "widget-works", "--shelf", str(shelf)]) == 2
    assert main(["shelf", "new", "Widget Works", "--shelf", str(shelf)]) == 2
