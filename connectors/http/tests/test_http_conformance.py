"""N4: the suite judges what the tutorials teach: pages of every kind, with any pointer, jobs that
are polled, and downloads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield.testing import ALL_RULES, Subject, judged
from jackfield_market.testing.project import Project
from jackfield_market.testing.rules import RULES
from plugboard import make_connector, plugged

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

HEAD = '''"""A connector in the forms of the tutorials."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar

from jackfield.connector import Connector, Field, Inputs, Output, OutputFile
from jackfield_http import ApiKey, HttpClient, Job, PageInputs, Pages


class DeskKey(ApiKey):
    """A help desk and a key for it."""

    key: ClassVar[str] = "deskKey"
    title: ClassVar[str] = "Desk Key"
    setup: ClassVar[str] = "Ask for a key."
    name: ClassVar[str] = "X-Key"
    probe: ClassVar[str | None] = "/me"


connector = Connector("desk", title="Desk", version="1.0.0", description="A help desk.", connections=[DeskKey])


class Nothing(Inputs):
    """No inputs."""


class Ticket(Inputs):
    """A ticket."""

    number: str = Field(description="The ticket's number.")
    job: str | None = Field(None, description="The job to wait for.")


class Report(Output):
    """What was reported."""

    report: str = Field(description="Its ID.")


class Page(Output):
    """A page of tickets."""

    tickets: tuple[str, ...] = Field(description="Their numbers.")
    next_token: str | None = Field(None, description="Where the next page begins.")


class Download(Output):
    """A report as a file."""

    content: OutputFile = Field(description="The report.")


STORED = {"content": {"file": "f1", "size": 3, "contentType": "text/csv", "expiresAt": "2031-01-01T00:00:00Z"}}
'''
LIST = '''PAGES = {pages}


@connector.action("listTickets", effect="read", pagination=PAGES.pagination("tickets"), examples=[({{}}, {{"tickets": ["7"]}})])
def list_tickets(asked: PageInputs, api: HttpClient) -> Page:
    """List tickets."""
    page = PAGES.fetch(api, "/tickets", asked)
    return Page(tickets=tuple(item["id"] for item in page.items), next_token={token})
'''
PAGES = {
    "token": 'Pages.token("cursor", next="/meta/next", items="/data")',
    "token of the same name": 'Pages.token("cursor", next="/paging/next", items="/tickets")',
    "token with a flag": 'Pages.token("cursor", next="/next", items="/data", more="/has_more")',
    "token with a last page": 'Pages.token("cursor", next="/next", items="/data", last="/page/isLast")',
    "token in the header": 'Pages.token("cursor", next="", items="/data", header="X-Next-Cursor")',
    "number": 'Pages.number("page", items="/data")',
    "offset": 'Pages.offset("skip", items="/data")',
    "link": "Pages.link()",
    "url": 'Pages.url("/links/next", items="/data")',
    "last ID": 'Pages.last_id("after", items="/data", more="/has_more")',
}
JOB = '''
@connector.action("makeReport", effect="write", examples=[({"number": "7"}, {"report": "r1"})])
def make_report(ticket: Ticket, api: HttpClient) -> Report:
    """Make a report and wait for it."""
    job = ticket.job or api.post("/reports", json={"ticket": ticket.number}).json("/report")
    Job("/progress/state", done=("done",), failed=("failed",)).wait(api, "/jobs/{id}", {"id": job})
    Job("/state", done=("sent",), every=0.1, longest=0.1).wait(api, "/mails/{id}", {"id": job})
    return Report(report=job)
'''
DOWNLOAD = '''
@connector.action("downloadReport", effect="read", examples=[({"number": "7"}, STORED)])
def download_report(ticket: Ticket, api: HttpClient) -> Download:
    """Download a report."""

    def chunks() -> Iterator[bytes]:
        with api.stream("GET", "/reports/{id}", {"id": ticket.number}) as answer:
            yield from answer.chunks()

    return Download(content=OutputFile(chunks(), "text/csv", "report.csv"))
'''
DRIVEN = [name for name, rule in RULES.items() if rule.drives]
LISTS = (
    "output-is-declared",
    "pages-are-complete",
    "pages-are-single",
    "answers-may-grow",
    "examples-fit-recordings",
)
BUSY, DONE = {"progress": {"state": "busy"}}, {"progress": {"state": "done"}}


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[Any]:
    """Make a project of a connector with this source, and recordings of its examples."""
    with plugged(tmp_path):

        def made(source: str, **recordings: list[dict[str, Any]]) -> Subject:
            make_connector(tmp_path, "desk", HEAD + source)
            text = (
                '[project]\nname = "jackfield-desk"\nversion = '
                '"1.0.0"\n[project.entry-points."jackfield.connectors"]\n'
            )
            tmp_path.joinpath("pyproject.toml").write_text(
                f'{text}desk = "jackfield_desk:connector"\n', encoding="utf-8"
            )
            for action, exchanges in recordings.items():
                path = tmp_path / "tests" / "recordings" / f"example-{action}.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(
                    json.dumps({"recordingVersion": 1, "exchanges": exchanges}), encoding="utf-8"
                )
            return Subject.of_project(Project.read(tmp_path))

        yield made


def exchange(
    method: str, path: str, answer: Any, body: Any = None, **headers: str
) -> dict[str, Any]:
    """One exchange of a recording."""
    sent = {} if body is None else {"contentType": "application/json", "json": body}
    response = {
        "status": 200,
        "headers": {"content-type": "application/json", **headers},
        "json": answer,
    }
    return {"request": {"method": method, "path": path, **sent}, "response": response}


def faults(subject: Subject, *names: str) -> dict[str, tuple[str, ...] | None]:
    """The rules that find a fault, of these or of all that run actions, with what they say."""
    return {name: found for name in names or DRIVEN if (found := judged(subject, ALL_RULES[name]))}


@pytest.mark.parametrize("pages", PAGES.values(), ids=PAGES)
def test_n4_lists_of_every_kind_are_right(subject: Any, pages: str) -> None:
    """A list that is declared in one line keeps every rule, wherever its responses name the next
    page; nothing was recorded.
    """
    rules = LISTS if pages != PAGES["token"] else DRIVEN
    assert faults(subject(LIST.format(pages=pages, token="page.next")), *rules) == {}


RECORDED: dict[str, tuple[Any, dict[str, str]]] = {
    "token": ({"data": [{"id": "7"}], "meta": {"next": "c2", "count": 2}}, {}),
    "link": ([{"id": "7"}], {"link": '<${url}/tickets?page=2>; rel="next"'}),
    "url": ({"data": [{"id": "7"}], "links": {"next": "${url}/tickets?page=2"}}, {}),
}


@pytest.mark.parametrize(
    ("token", "kind"),
    [  # each kind is right, and wrong in one of two ways by turns
        pytest.param(
            token,
            kind,
            id=f"{name}-{kind}",
            marks=pytest.mark.campaign if turn and (place + turn) % 2 else (),
        )
        for turn, (name, token) in enumerate(
            {
                "right": "page.next",
                "stops": "page.next if page.items else None",
                "loses": "None",
            }.items()
        )
        for place, kind in enumerate(RECORDED)
    ],
)
def test_n4_recorded_lists_are_judged(subject: Any, kind: str, token: str) -> None:
    """From the recording of one page the suite makes an empty one and a last one: a list that stops
    there, or has no token, is found.
    """
    answer, headers = RECORDED[kind]
    made = subject(
        LIST.format(pages=PAGES[kind], token=token),
        listTickets=[exchange("GET", "/tickets", answer, **headers)],
    )
    found = faults(made, *LISTS)
    assert found.keys() == (set() if token == "page.next" else {"pages-are-complete"})


def test_n4_jobs_that_are_polled_are_right(subject: Any) -> None:
    """An action that waits for two jobs keeps every rule, although no response says that they are
    done; nothing was recorded.
    """
    assert faults(subject(JOB)) == {}


def test_n4_recorded_jobs_take_the_time_that_they_took(subject: Any) -> None:
    """A job of five minutes is replayed as it was recorded, in no time."""
    polls = [exchange("GET", "/jobs/r1", BUSY, **{"retry-after": "60"})] * 4 + [
        exchange("GET", "/jobs/r1", DONE)
    ]
    mails = [exchange("GET", "/mails/r1", {"state": "sent"})]
    started = exchange("POST", "/reports", {"report": "r1"}, {"ticket": "7"})
    assert faults(subject(JOB, makeReport=[started, *polls, *mails])) == {}


def test_n4_downloads_are_right(subject: Any) -> None:
    """The chunks of a file are read, so that an action whose requests they are keeps every rule."""
    assert faults(subject(DOWNLOAD)) == {}


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("output-is-declared", "yield from answer.chunks()", "yield 7"),
        ("refusals-are-explained", "with api.stream(", "with suppress(Exception), api.stream("),
        ("effects-fit-methods", 'api.stream("GET"', 'api.stream("DELETE"'),
    ],
)
def test_n4_faulty_downloads_are_found(subject: Any, rule: str, old: str, new: str) -> None:
    """What a download does while its chunks are read is judged."""
    assert old in DOWNLOAD
    assert judged(subject(DOWNLOAD.replace(old, new)), ALL_RULES[rule])
