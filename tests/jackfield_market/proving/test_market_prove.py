"""``jackfield prove``: programs whose behaviour is known are judged rightly, and correct ones raise
no alarm.
"""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_market.proving import seeded_programs

from jackfield.cli.main import main
from jackfield_market.testing.proving.faults import FAULTS
from jackfield_market.testing.proving.session import _BOUNDARY

MODULE = seeded_programs.__name__
PROGRAM = str(Path(seeded_programs.__file__))
PATIENT = ["--silence", "20s", "--late", "20s"]
"""No program of the tests waits so long: what a thread has left to send comes, however late it gets
its turn.
"""
FAST = ["--silence", "1s", "--late", "0.4s"]
"""For programs that wait for as long as the provider is silent."""
OWN = [
    word
    for fault in FAULTS
    if not (fault.is_started_again or fault.asked)
    for word in ("--only", fault.name)
]
"""Situations that are the code's own doing."""
OPTIONS = {
    "hedges": FAST,
    "without_timeout": FAST,
    "keyed_in_the_body": ["--key-member", "requestToken"],
    "keyed_in_the_query": ["--key-member", "requestId"],
    "searches_again": ["--read", "POST /search"],
}
OTHERS = {
    "cancels_and_fails": "POST /v1/orders/cancel",
    "posts_then_puts_the_same": "PUT /orders/{id}",
    "drafts_what_is_refused": "POST /drafts",
    "files_a_ticket": "POST /tickets",
    "orders_something_else": "POST /orders",
    "tells_the_channel": "POST /messages",
    "adds_and_takes_away": "PATCH /stock/lamp",
    "same_content_elsewhere": "POST /queue",
    "sends_elsewhere": "POST /alerts/mails",
}
"""Writes after a fault that are right, and that nobody but the program's author can tell from a
repetition.
"""

Proved = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def prove(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Proved:
    """The command in a process that has no boundary, whatever other tests have imported. It returns
    the exit code and what it says.
    """
    monkeypatch.delitem(sys.modules, _BOUNDARY, raising=False)

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        separate = words.index("--") if "--" in words else len(words)
        code = main(["prove", *PATIENT, *words[:separate], "--json", *words[separate:]])
        return code, json.loads(capsys.readouterr().out)

    return run


def _verdicts(said: dict[str, Any]) -> set[str]:
    return {write["verdict"] for case in said["cases"] for write in case["writes"]}


@pytest.mark.parametrize(
    ("program", "verdict"),
    seeded_programs.FAULTY.items(),
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_faulty_program_is_found(
    program: Callable[..., Any], verdict: str, prove: Proved
) -> None:
    """It is judged as it behaves, with a sentence about what to change, and the exit code is 1."""
    code, said = prove(f"{MODULE}:{program.__name__}", *OWN, *OPTIONS.get(program.__name__, ()))
    assert (code, said["passed"]) == (1, False)
    wrong = [
        cell
        for case in said["cases"]
        for write in case["writes"]
        for cell in write["situations"]
        if cell["verdict"] == verdict
    ]
    assert wrong
    assert all(cell["change"] and cell["requests"] for cell in wrong)


@pytest.mark.parametrize("program", seeded_programs.CORRECT, ids=lambda one: one.__name__)
def test_a_correct_program_raises_no_alarm(program: Callable[..., Any], prove: Proved) -> None:
    """No situation of any of its writes is wrong, once it is said which other write it may send
    after a fault.
    """
    name = program.__name__
    other = ["--allow-other", OTHERS[name]] if name in OTHERS else []
    code, said = prove(f"{MODULE}:{name}", *OWN, *OPTIONS.get(name, ()), *other)
    assert _verdicts(said) <= {"told as unknown", "sent once", "sent another instead"}
    assert (code, said["passed"], said["sentTwice"]) == (0, True, 0)


@pytest.mark.parametrize(("program", "code"), [("repeats_on_reset", 1), ("keyed", 0)])
def test_a_command_is_proved_by_a_variable(program: str, code: int, prove: Proved) -> None:
    """It gets the provider's address, and its exit code is what it says."""
    found, said = prove(
        "--base-url-variable",
        "SHOP_URL",
        "--only",
        "taken-reset",
        "--",
        sys.executable,
        PROGRAM,
        program,
    )
    assert (found, said["sentTwice"], said["writes"]) == (code, code, 1)


def test_a_command_is_proved_through_a_proxy(tmp_path: Path, prove: Proved) -> None:
    """Without a variable, hosts with TLS are played by a private authority."""
    program = tmp_path / "orders.py"
    program.write_text(
        "import urllib.request as r\n"
        "for last in (False, True):\n"
        "    try:\n"
        "        r.urlopen(r.Request('https://api.example.com/orders', b'{}', method='POST'), "
        "timeout=30).read()\n"
        "        break\n"
        "    except OSError:\n"
        "        if last:\n"
        "            raise\n"
    )
    code, said = prove(
        "--only", "taken-closed", "--only", "refused", "--", sys.executable, str(program)
    )
    write = said["cases"][0]["writes"][0]
    assert (code, write["write"], write["verdict"]) == (
        1,
        "POST api.example.com/orders",
        "sent twice",
    )


@pytest.mark.parametrize(
    ("program", "code"), [("marked", 0), ("keyed", 0), ("once", 1), ("keyed_by_run", 1)]
)
def test_a_program_that_is_started_again_has_a_marker_or_a_key(
    program: str, code: int, prove: Proved
) -> None:
    """After a kill before, during and after the write. Without either it sends twice, which counts
    with ``--again``.
    """
    words = [
        f"{MODULE}:{program}",
        *(word for when in ("before", "during", "after") for word in ("--only", f"killed-{when}")),
    ]
    found, said = prove(*words, "--again")
    assert (found, said["sentTwice"]) == (code, code)
    cells = {
        cell["situation"]: cell["verdict"] for cell in said["cases"][0]["writes"][0]["situations"]
    }
    assert cells["killed-before"] == "sent once"


@pytest.mark.parametrize("program", ["without_timeout", "looks_first", "looks_twice_first"])
def test_two_runs_at_once_keep_step(program: str, prove: Proved) -> None:
    """Both look before either writes. What both do is shown, and does not count by itself."""
    code, said = prove(f"{MODULE}:{program}", "--only", "twice-at-once")
    assert code == 0
    assert said["cases"][0]["writes"][0]["situations"][-1]["effects"] == 2


@pytest.mark.parametrize(
    "program", ["keyed", "makes_what_is_not_there", "locks_and_looks", "locks_and_gives_up"]
)
def test_two_runs_at_once_may_have_one_effect(program: str, prove: Proved) -> None:
    """By one key, a condition, or a lock: a run is held no longer than an answer may be late."""
    code, said = prove(f"{MODULE}:{program}", *FAST, "--only", "twice-at-once", "--again")
    assert (code, said["sentTwice"]) == (0, 0)


@pytest.mark.parametrize(
    ("program", "code"), [("accepted_is_done", 1), ("accepted_is_asked_for", 0)]
)
def test_what_was_accepted_is_not_yet_done(program: str, code: int, prove: Proved) -> None:
    """Played only if it is asked for: whoever says success has asked what became of it."""
    found, said = prove(f"{MODULE}:{program}", "--only", "accepted")
    assert (found, said["reportedFalsely"]) == (code, code)


@pytest.mark.parametrize("program", OTHERS)
def test_another_write_after_a_fault_is_not_judged(program: str, prove: Proved) -> None:
    """It took effect, and may be the write again: unless it is admitted by name, the exit code is
    2, and the sentence says how.
    """
    words = [f"{MODULE}:{program}", "--only", "taken-reset", "--only", "refused"]
    code, said = prove(*words)
    (write,) = said["cases"][0]["writes"][:1]
    told = [cell for cell in write["situations"] if cell["verdict"] == "not judged"]
    assert (code, said["passed"], said["notJudged"], bool(told)) == (2, False, 1, True)
    assert "which took effect and was not in the first run" in told[0]["change"]
    assert "--allow-other '" in told[0]["change"]
    code, said = prove(*words, "--allow-other", OTHERS[program])
    assert (code, said["notJudged"]) == (0, 0)


_REMEMBERS = """
import os, urllib.request
from pathlib import Path
from jackfield import once

DONE = Path("done")

def boundary(url):
    @once("order", key=lambda sku: sku)
    def order(sku):
        post(url)
    order("lamp")

def remembers(url):
    if not DONE.exists():
        DONE.touch()
        post(url)

def post(url):
    assert Path(os.environ["JACKFIELD_PROVE_FOLDER"]).is_dir()
    urllib.request.urlopen(url + "/orders", b'{"sku": "lamp"}', timeout=1).read()
"""


@pytest.fixture
def remembering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module whose functions remember what they have sent: by a boundary, or in a file of their
    own.
    """
    (tmp_path / "remembering.py").write_text(_REMEMBERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return "remembering"


def test_a_boundary_around_the_code_is_new_for_each_situation(
    remembering: str, prove: Proved
) -> None:
    """What its journal knows of one situation does not answer the next: each is played, and nothing
    is sent twice.
    """
    import_module(_BOUNDARY)  # as the target does in a process of its own
    only = ("taken-reset", "failed-before", "twice-at-once", "killed-after")
    code, said = prove(
        f"{remembering}:boundary", *FAST, *(word for name in only for word in ("--only", name))
    )
    verdicts = {
        cell["situation"]: cell["verdict"] for cell in said["cases"][0]["writes"][0]["situations"]
    }
    assert (code, said["notReached"]) == (0, 0)
    assert (verdicts["taken-reset"], verdicts["twice-at-once"]) == ("told as unknown", "sent once")


def test_a_write_that_comes_in_no_situation_is_not_proved(remembering: str, prove: Proved) -> None:
    """Code that remembers earlier runs somewhere else sends nothing in them: that is no proof, and
    the exit code says so.
    """
    code, said = prove(f"{remembering}:remembers", "--only", "taken-reset", "--only", "refused")
    assert (code, said["passed"], said["notReached"]) == (1, False, 1)


@pytest.mark.parametrize(
    ("program", "notes"), [("rests_after_a_failure", 0), ("without_timeout", 1)]
)
def test_a_silence_that_was_waited_for_is_told(program: str, notes: int, prove: Proved) -> None:
    """A client that hung up before its end has not, however long the program runs after that."""
    _, said = prove(f"{MODULE}:{program}", "--only", "taken-silent", "--silence", "0.6s")
    assert [note[:40] for note in said["cases"][0]["notes"]] == [
        "A request still waited when the silence "
    ] * notes


def test_a_provider_may_ignore_keys(prove: Proved) -> None:
    """Then a key is no help, and the sentence says so."""
    code, said = prove(f"{MODULE}:keyed", "--only", "taken-500", "--ignore-keys")
    assert (code, said["sentTwice"]) == (1, 1)
    assert "ignores keys" in said["cases"][0]["writes"][0]["situations"][-1]["change"]


SERVER = """
import json, os, sys, urllib.request
TOOLS = [
    {"name": "place_order", "inputSchema": {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}},
    {"name": "list_orders", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
]
def call(sku):
    for last in (False, True):
        try:
            asked = urllib.request.Request(os.environ["SHOP_URL"] + "/orders", sku.encode(), method="POST")
            urllib.request.urlopen(asked, timeout=30).read()
            return {"content": [{"type": "text", "text": "ok"}]}
        except OSError as error:
            if last:
                return {"isError": True, "content": [{"type": "text", "text": str(error)}]}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        about = {"initialize": {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "shop", "version": "1"}}}
        about["tools/list"] = {"tools": TOOLS}
        found = about.get(asked["method"]) or call(**asked["params"]["arguments"])
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": found}), flush=True)
"""


def test_tools_of_an_mcp_server_are_proved(tmp_path: Path, prove: Proved) -> None:
    """Those that may write, with arguments made of their schemas."""
    program = tmp_path / "server.py"
    program.write_text(SERVER)
    only = ["--only", "taken-reset", "--only", "killed-during"]
    code, said = prove(
        "--mcp", "--base-url-variable", "SHOP_URL", *only, "--", sys.executable, str(program)
    )
    assert [case["name"] for case in said["cases"]] == ["place_order"]
    assert (code, said["sentTwice"]) == (1, 1)


HANDS_ON = """
import json, os, sys, urllib.error, urllib.request
def call():
    try:
        asked = urllib.request.Request(os.environ["SHOP_URL"] + "/orders", b"lamp", method="POST")
        text = urllib.request.urlopen(asked, timeout=30).read().decode()
    except urllib.error.HTTPError as error:
        text = TEXT
    return {"content": [{"type": "text", "text": text}]}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        tools = {"tools": [{"name": "place_order", "inputSchema": {"type": "object"}}]}
        found = {"initialize": {}, "tools/list": tools}.get(asked["method"]) or (call() if asked["method"] == "tools/call" else {})
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": found}), flush=True)
"""


@pytest.mark.parametrize(
    ("text", "falsely"),
    [
        ("error.read().decode()", 0),
        ("json.dumps({'ok': False})", 0),
        ("json.dumps({'ok': True})", 1),
        ("'placed'", 1),
        ("'[1]'", 1),
    ],
)
def test_a_tool_that_hands_on_the_refusal_says_it(
    text: str, falsely: int, tmp_path: Path, prove: Proved
) -> None:
    """Whoever calls it reads JSON with the provider's error, although isError is not set."""
    program = tmp_path / "server.py"
    program.write_text(HANDS_ON.replace("TEXT", text))
    _code, said = prove(
        "--mcp",
        "--base-url-variable",
        "SHOP_URL",
        "--only",
        "refused",
        "--",
        sys.executable,
        str(program),
    )
    assert said["reportedFalsely"] == falsely


def test_a_connector_of_ours_sends_nothing_twice(prove: Proved) -> None:
    """Its writes go through the runtime: a lost answer is told as unknown."""
    code, said = prove(
        "slack", *FAST, "--only", "taken-reset", "--only", "refused", "--only", "failed-503"
    )
    assert (code, said["sentTwice"], said["passed"]) == (0, 0, True)
    assert said["writes"] >= 5
    assert _verdicts(said) <= {"told as unknown", "sent once"}


def test_an_openapi_document_says_the_answers(tmp_path: Path, prove: Proved) -> None:
    """A program that needs its provider's own answer gets that of the document, or of a file; its
    refusal, too.
    """
    document = tmp_path / "api.yaml"
    document.write_text(
        "servers: [{url: 'https://api.example.com/v1'}]\n"
        "paths: {/orders: {post: {responses: {'202': {content: {application/json: {schema: {$ref: "
        "'#/components/schemas/O'}}}}}}}}\n"
        "components: {schemas: {O: {type: object, properties: {id: {type: string, format: "
        "uuid}}}}}\n"
    )
    code, said = prove(
        f"{MODULE}:success_after_202_only", "--openapi", str(document), "--only", "failed-before"
    )
    assert (code, said["sentTwice"], said["writes"]) == (0, 0, 1)
    answers = tmp_path / "answers.json"
    answers.write_text(
        json.dumps({"POST /orders": {"refused": {"status": 200, "body": {"ok": False}}}})
    )
    code, said = prove(f"{MODULE}:once", "--answers", str(answers), "--only", "refused")
    assert (code, said["reportedFalsely"]) == (1, 1)


@pytest.mark.parametrize(
    ("program", "only", "last"),
    [
        ("swallows_everything", "failed-before", "1 of 1 write would be lost."),
        ("never_looks_at_the_status", "refused", "1 of 1 write would be reported falsely."),
        ("once", "taken-500", "0 of 1 write would be sent twice, reported falsely or lost."),
        ("one_key_for_all", "taken-late", "1 of 2 writes would be lost."),
    ],
)
def test_the_headline_says_what_is_wrong(
    program: str, only: str, last: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the last line of the text, and as the bold line of the page."""
    page = tmp_path / "prove.html"
    main(["prove", f"{MODULE}:{program}", *FAST, "--only", only, "--html", str(page)])
    assert capsys.readouterr().out.splitlines()[-1] == last
    assert f"<strong>{last}</strong>" in page.read_text()


def test_a_trace_shows_looks_and_other_writes(capsys: pytest.CaptureFixture[str]) -> None:
    """What the code read, and which other request did the write again."""
    main(["prove", f"{MODULE}:takes_a_failed_look_for_nothing", *FAST, "--only", "look-failed"])
    assert "GET /orders  -> answered 503" in capsys.readouterr().out
    main(
        [
            "prove",
            f"{MODULE}:another_version_at_last",
            *FAST,
            "--only",
            "refused",
            "--only",
            "taken-500",
        ]
    )
    said = capsys.readouterr().out
    assert "POST /v1/orders" in said
    assert "by another request" in said
    assert "not judged" not in said
    main(["prove", f"{MODULE}:one_key_for_all", *FAST, "--only", "taken-late"])
    said = capsys.readouterr().out
    assert "in answered: all was answered as it came, and this had no effect" in said
    assert said.count("[key my-application]") == 2


def test_a_trace_of_two_runs_says_whose_each_request_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Those of both stand in their order."""
    main(
        [
            "prove",
            f"{MODULE}:looks_first",
            *FAST,
            "--only",
            "twice-at-once",
            "--again",
            "--late",
            "20s",
        ]
    )
    said = capsys.readouterr().out
    assert all(
        f"run {run}  {method} /orders" in said for run in (1, 2) for method in ("GET", "POST")
    )
    assert "one run said: success" in said


def test_looks_fail_only_for_code_that_looks(prove: Proved) -> None:
    """The situation is left out for others, unless it is asked for."""
    for program, is_played in (("once", False), ("looks_before_it_repeats", True)):
        _, said = prove(f"{MODULE}:{program}")
        cells = [cell["situation"] for cell in said["cases"][0]["writes"][0]["situations"]]
        assert ("look-failed" in cells) is is_played


def test_a_row_that_was_refused_is_not_taken_for_the_next(prove: Proved) -> None:
    """Rows that differ in an id which each run makes anew are told apart by their order."""
    _, said = prove(f"{MODULE}:rows_with_ids_of_their_own", "--only", "refused")
    cells = [write["situations"][-1] for write in said["cases"][0]["writes"]]
    assert [(cell["verdict"], cell["effects"]) for cell in cells] == [
        ("not sent, and told so", 0)
    ] * 3


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_is_no_effect(status: int, tmp_path: Path, prove: Proved) -> None:
    """The write is what is sent to the other place."""
    answers, program = tmp_path / "answers.json", tmp_path / "orders.py"
    answers.write_text(
        json.dumps(
            {
                "POST /old/orders": {
                    "status": status,
                    "headers": {"Location": "/new/orders"},
                    "body": {},
                }
            }
        )
    )
    program.write_text(
        "import http.client, os, urllib.parse\n"
        "path = '/old/orders'\n"
        "while True:\n"
        "    connection = "
        "http.client.HTTPConnection(urllib.parse.urlsplit(os.environ['SHOP_URL']).netloc, "
        "timeout=0.5)\n"
        "    connection.request('POST', path, '{}')\n"
        "    answer = connection.getresponse()\n"
        "    path = answer.headers.get('Location', path)\n"
        "    if answer.status not in (307, 308):\n"
        "        raise SystemExit(answer.status >= 300)\n"
    )
    only = ("--only", "taken-garbled", "--only", "taken-500", "--only", "refused")
    words = (
        "--answers",
        str(answers),
        "--base-url-variable",
        "SHOP_URL",
        *only,
        "--",
        sys.executable,
        str(program),
    )
    code, said = prove(*words)
    assert (code, [write["write"] for write in said["cases"][0]["writes"]]) == (
        0,
        ["POST /new/orders"],
    )


def test_a_table_a_page_and_junit_say_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line of the table counts; the requests stand below; the page has both, and JUnit a
    failure for each.
    """
    page, xml = tmp_path / "prove.html", tmp_path / "prove.xml"
    words = [
        f"{MODULE}:batch_begins_again_patiently",
        "--only",
        "taken-reset",
        "--html",
        str(page),
        "--junit",
        str(xml),
    ]
    assert main(["prove", *words]) == 1
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "3 of 3 writes would be sent twice."
    assert 'POST /orders {"reference": "c"} -> took effect; reset' in said
    assert "3 of 3 writes would be sent twice." in page.read_text()
    suite = ET.fromstring(xml.read_text())
    assert int(suite.attrib["failures"]) == len(suite.findall(".//failure")) >= 3


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([f"{MODULE}:reads_nothing"], "cannot be imported"),
        (["--", "/no/such/command"], "cannot be run"),
        (["--", sys.executable, "-c", "pass"], "sent no write to the provider"),
        (
            ["--", sys.executable, "-c", "import no_such_module"],
            "Correct what it said, if that is why.",
        ),
        (
            [sys.executable, "orders.py"],
            "A command stands after '--': 'jackfield prove -- COMMAND'.",
        ),
        ([__file__], f"'jackfield prove -- python {__file__}'"),
        ([f"{MODULE}:once", "--only", "earthquake"], "there is no situation"),
        ([f"{MODULE}:once", "--", "true"], "give either TARGET or -- COMMAND"),
        ([f"{MODULE}:once", "--answers", "/no/such/file"], "cannot be read"),
        (["aws-ses"], "has code of its own"),
    ],
)
def test_what_cannot_be_proved_says_why(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 2."""
    assert main(["prove", *words]) == 2
    said = capsys.readouterr()
    assert text in said.out + said.err
