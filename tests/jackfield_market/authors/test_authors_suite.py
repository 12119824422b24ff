"""N4: the suite finds nothing in connectors that are right in another way than the sound one, and
says what faulty ones do.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_market.parcels import SOUND, parcel_project

from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.testing import RULES, Subject, behaviour, driving, judged, playing
from plugboard import plugged

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")
LISTS = ("pages-are-complete", "pages-are-single", "output-is-declared")
READ = 'return Parcels(parcels=page["parcels"], next_token=page.get("next"))'


def faults(folder: Path, source: str, *names: str) -> list[str]:
    """What these rules find."""
    project = parcel_project(folder, source)
    with plugged(folder):
        subject = Subject.of_project(project)
        return [fault for name in names for fault in judged(subject, RULES[name]) or ()]


@pytest.mark.parametrize("place", ["meta", "paging", "response_metadata"])
def test_n4_tokens_in_an_object_are_found(tmp_path: Path, place: str) -> None:
    """A token in an object of the response is found where providers put it, also without a
    recording.
    """
    source = SOUND.replace(
        READ, READ.replace('page.get("next")', f'page.get("{place}", {{}}).get("next")')
    )
    assert faults(tmp_path, source, *LISTS) == []


def recorded(folder: Path, answer: object) -> None:
    """Record the example of the list."""
    exchange = {
        "request": {
            "method": "GET",
            "path": "/parcels?after=",
            "contentType": "application/json",
            "json": None,
        },
        "response": {
            "status": 200,
            "headers": {"content-type": "application/json"},
            "json": answer,
        },
    }
    path = folder / "tests" / "recordings" / "example-listParcels.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"recordingVersion": 1, "exchanges": [exchange]}), encoding="utf-8")


ODD = {"found": {"rows": ["p1", "p2"]}, "odd place": "t-2", "took": 3}


def test_n4_tokens_anywhere_are_found_by_the_recording(tmp_path: Path) -> None:
    """The token of the recorded output says where it is in the response; the items may be
    anywhere.
    """
    recorded(tmp_path, ODD)
    source = SOUND.replace(
        READ, 'return Parcels(parcels=page["found"]["rows"], next_token=page.get("odd place"))'
    )
    assert faults(tmp_path, source, *LISTS) == []


def test_n4_lists_that_stop_at_an_empty_page_are_found_by_the_recording(tmp_path: Path) -> None:
    """Wherever the items of the recorded response are, the empty page has none."""
    recorded(tmp_path, ODD)
    read = (
        'rows = page["found"]["rows"]\n    return Parcels(parcels=rows, '
        'next_token=page.get("odd place") if rows else None)'
    )
    assert "with an empty page" in "".join(faults(tmp_path, SOUND.replace(READ, read), *LISTS))


FOUND = (
    'found = client.call("GET", f"/parcels?name={parcel.name}")\n    return '
    'Kept(parcel_id=found["id"])'
)
RIGHT = {
    "the time of the runtime": """call = current_call()
    found = client.call("GET", f"/parcels?name={parcel.name}&at={call.deadline.clock.time() if call else 0}")
    return Kept(parcel_id=found["id"])""",
    "a map of numbers": """found = client.call("GET", f"/parcels?name={parcel.name}")
    sizes = {name: len(value) for name, value in found.items()}
    return Kept(parcel_id=found["id"] if sizes else "none")""",
    "ignores what is new": """found = client.call("GET", f"/parcels?name={parcel.name}")
    return Kept.from_provider(found)""",
    "the address of its server": """found = client.call("GET", f"/parcels?name={parcel.name}&from={client.url}")
    return Kept(parcel_id=f"{found['id']} at {client.url}")""",
}


@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT)
def test_comparisons_condemn_nothing_that_is_right(tmp_path: Path, body: str) -> None:
    """Maps, the runtime's clock and the server's address may be used; new members may be
    ignored.
    """
    assert FOUND in SOUND
    assert (
        faults(
            tmp_path,
            SOUND.replace(FOUND, body),
            "answers-may-grow",
            "attempts-are-alike",
            "connections-are-apart",
        )
        == []
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("raise GeneratorExit", "the connector's code raised GeneratorExit"),
        ("return None", "returns nothing (None), not Kept"),
        ("Event().wait()", "has not ended after"),
        (
            'return Kept(parcel_id="p1") if parcel.size == "s" else b"x"',
            'bytes, not Kept, with the inputs {"name": "bob", "size": "l"}',
        ),
    ],
)
def test_n12_a_fault_says_what_the_connector_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, says: str
) -> None:
    """An action that raises, returns nothing or blocks is not said to return another type."""
    if "wait" in body:
        monkeypatch.setattr(driving, "PATIENCE", 0.1)
    source = SOUND.replace('    return Kept(parcel_id=found["id"])', f"    {body}").replace(
        'example("findParcel", name="ada")',
        'example("findParcel", name="ada"), example("findParcel", name="bob", size="l")',
    )
    said = faults(
        tmp_path,
        source.replace("import http.client", "import http.client\nfrom threading import Event"),
        "output-is-declared",
    )
    assert [fault for fault in said if fault.startswith("'findParcel'") and says in fault]


RESHAPED = 'return Parcels(parcels=[row["name"] for row in page["data"]], next_token=None)'


def test_answers_of_the_project_reach_both_runners(tmp_path: Path) -> None:
    """``answers`` of ``tool.jackfield.check`` are what the provider responds, in ``jackfield
    check`` as in pytest.
    """
    project = parcel_project(tmp_path, SOUND.replace(READ, RESHAPED))
    file = project.root / "pyproject.toml"
    answers = '[tool.jackfield.check.answers]\n"GET /parcels" = {data = [{name = "p1"}]}\n'
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{answers}", encoding="utf-8")
    with plugged(tmp_path):
        subject = Subject.of_project(type(project).read(project.root))
        assert "listParcels" not in "".join(judged(subject, RULES["output-is-declared"]) or ())


def test_answers_name_a_request(tmp_path: Path) -> None:
    """A name of ``answers`` that is no method and path is refused with the form that is right."""
    project = parcel_project(tmp_path, SOUND)
    file = project.root / "pyproject.toml"
    file.write_text(
        f"{file.read_text(encoding='utf-8')}\n[tool.jackfield.check.answers]\nparcels = 1\n",
        encoding="utf-8",
    )
    with pytest.raises(InvalidInvocation, match=r"'parcels' in tool\.jackfield\.check\.answers"):
        type(project).read(project.root)


def test_a_bug_before_the_first_request_is_told_by_one_rule(tmp_path: Path) -> None:
    """An action that raises whatever the provider responds is named by the rule about outputs;
    rules about responses blame no error map.
    """
    project = parcel_project(
        tmp_path,
        SOUND.replace("    page = client.call(", '    int("seven")\n    page = client.call('),
    )
    with plugged(tmp_path):
        subject = Subject.of_project(project)
        said = [
            fault
            for fault in judged(subject, RULES["output-is-declared"]) or ()
            if "listParcels" in fault
        ]
        others = {
            name: judged(subject, RULES[name])
            for name in ("refusals-are-explained", "failures-are-explained", "retry-after-is-read")
        }
    assert said[0].startswith("'listParcels' fails before its first request: ValueError(")
    assert not [
        fault for faults in others.values() for fault in faults or () if "listParcels" in fault
    ]


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (
            '"nextToken", "parcels", size_input="pageSize", max_size=100',
            "'pageSize', which its inputs do not have",
        ),
        ('"cursor", "parcels"', "'cursor', which its output does not have"),
    ],
)
def test_paging_says_on_which_side_a_name_is_missing(
    tmp_path: Path, declared: str, said: str
) -> None:
    """A name of paging that is not declared is told with its side, so that the author declares it
    there.
    """
    source = SOUND.replace(
        'Pagination("nextToken", "nextToken", "parcels", ', f'Pagination("nextToken", {declared}, '
    )
    assert faults(tmp_path, source, "paging-names-exist") == [
        f"paging of 'listParcels' names {said}"
    ]


def test_an_action_that_hangs_is_run_by_one_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An action that has not ended is named by the rule about outputs; no other rule runs it
    again.
    """
    monkeypatch.setattr(driving, "PATIENCE", 0.2)
    project = parcel_project(
        tmp_path,
        SOUND.replace(READ, f"import threading\n    threading.Event().wait(60)\n    {READ}"),
    )
    with plugged(tmp_path):
        subject = Subject.of_project(project)
        drives: list[str] = []

        def counted(subject: Subject, action: Any, *rest: Any, **more: Any) -> driving.Drive:
            drives.append(action.key)
            return drive(subject, action, *rest, **more)

        drive = driving.drive
        for module in (behaviour, playing):
            monkeypatch.setattr(module, "drive", counted)
        first = "".join(judged(subject, RULES["output-is-declared"]) or ())
        for name in ("refusals-are-explained", "failures-are-explained"):
            list(judged(subject, RULES[name]) or ())
    assert "'listParcels' has not ended" in first
    assert drives.count("listParcels") == 1
