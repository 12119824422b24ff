"""The tour of the demo says what came out, to people and to programs."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield import Jackfield
from jackfield.catalog import Catalog
from jackfield.connector import Unavailable
from jackfield.kernel.errors import InvalidInvocation
from jackfield_aws_ses_simulator.aws.messages import Content, SentMessage
from jackfield_aws_ses_simulator.command import command
from jackfield_aws_ses_simulator.serving import serve
from jackfield_aws_ses_simulator.show import Show, folded
from jackfield_aws_ses_simulator.stage import EXAMPLES, Report, Stage, Step
from jackfield_aws_ses_simulator.steps import STEPS, tour

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connector is found, also where the tree is only on the path."""
    if "aws-ses" in Catalog.installed():
        return
    about = tmp_path / "jackfield_aws_ses-1.0.0.dist-info"
    about.mkdir()
    (about / "entry_points.txt").write_text(
        "[jackfield.connectors]\naws-ses = jackfield_aws_ses:connector\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("installed")
def test_the_tour_comes_out_as_expected(capsys: pytest.CaptureFixture[str]) -> None:
    """Every step passes, the exit code is 0, and a line for each says so with its invocation,
    Result and messages.
    """
    code = command(["--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("faults") for line in lines] == [None] * (len(STEPS) + 1)
    assert (code, lines[-1]["passed"], [line["key"] for line in lines[:-1]]) == (
        0,
        True,
        [step.key for step in STEPS],
    )
    sent = next(line for line in lines if line.get("key") == "send")
    assert sent["result"]["output"]["MessageId"] == sent["received"][0]["MessageId"]
    assert [item["name"] for item in sent["received"][0]["attachments"]] == list(
        sent["invocation"]["inputs"]["attachments"]
    )


@pytest.mark.usefixtures("installed")
def test_the_tour_does_not_care_for_this_machines_aws(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that there is not, or a configuration that cannot be read, is no reason to fail:
    the demo has an AWS of its own.
    """
    (tmp_path / "config").write_text("no configuration", encoding="utf-8")
    for name, value in {
        "AWS_PROFILE": "nope",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_DEFAULT_PROFILE": "neither",
    }.items():
        monkeypatch.setenv(name, value)
    assert command(["--json"]) == 0
    assert os.environ["AWS_PROFILE"] == "nope"
    capsys.readouterr()


@pytest.mark.usefixtures("installed")
def test_the_tour_is_shown_to_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """People see headings, JSON and the message as AWS received it, and no secret; a proxy in the
    environment is no obstacle.
    """
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    shown = [step for step in STEPS if step.key in {"installed", "connection", "send", "invalid"}]
    assert tour(Show(one_line=False), tuple(shown)) == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    assert "3. Send an email" in text
    assert "Subject     Grüße: your invoice 4711 ✓" in text
    assert "Attachment  invoice-4711.pdf, application/pdf, 597 bytes" in text
    assert "(envelope only)" in text
    assert "All 4 steps came out as expected" in text
    assert "\x1b[" not in text


@pytest.mark.usefixtures("installed")
def test_a_step_that_goes_wrong_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """One fault, or an error of the runtime, makes the exit code 1, and the end says which steps
    they were.
    """

    def wrong(_stage: Stage) -> Report:
        return Report(faults=("failed: all is well",))

    def broken(_stage: Stage) -> Report:
        raise Unavailable("nobody is there")

    steps = (
        Step("fine", "Fine", lambda _: Report()),
        Step("wrong", "Wrong", wrong),
        Step("broken", "Broken", broken),
    )
    assert tour(Show(one_line=False), steps) == 1
    text = capsys.readouterr().out
    assert "✗ failed: all is well" in text
    assert "✗ nobody is there" in text
    assert "2 of 3 steps did not come out as expected: 2 (wrong), 3 (broken)." in text


def test_words_that_the_command_does_not_take_are_refused() -> None:
    """A mistake is an error with a code, not a traceback."""
    with pytest.raises(InvalidInvocation, match="--fast"):
        command(["--fast"])


def test_the_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` names the options."""
    with pytest.raises(SystemExit) as stopped:
        command(["--help"])
    assert (stopped.value.code, "--serve" in capsys.readouterr().out) == (0, True)


@pytest.mark.usefixtures("installed")
def test_the_aws_can_be_kept_up() -> None:
    """``--serve`` prints what a second process needs, shows what AWS accepts, and ends with 0 on
    Ctrl-C.
    """
    program = (
        "import sys; from jackfield_aws_ses_simulator.command import command; "
        "sys.exit(command(['--serve', '--json']))"
    )
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env=paths,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        served = json.loads(process.stdout.readline())
        environment = served["environment"]
        with Jackfield(
            connections=[environment["JACKFIELD_CONNECTIONS"]],
            database_url="none",
            environment=environment,
        ) as jackfield:
            result = jackfield.invoke(
                (Path(served["examples"]) / "send-email.json").read_text(encoding="utf-8")
            )
        received = json.loads(process.stdout.readline())["received"]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert received["MessageId"] == result.unwrap()["MessageId"]


class Interrupted(Show):
    """Ctrl-C arrives when all is said."""

    def text(self, text: str, style: str = "") -> None:
        """Say it, then interrupt after the last paragraph."""
        super().text(text, style)
        if text.startswith("\n"):
            signal.raise_signal(signal.SIGINT)


def test_what_is_served_is_shown_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    """People get lines that a shell takes, and the process its signals as they were."""
    before = signal.getsignal(signal.SIGINT)
    assert serve(Interrupted(one_line=False)) == 0
    text = capsys.readouterr().out
    assert "export DEMO_EXTERNAL_ID=demo-" in text
    assert f"export JACKFIELD_CONNECTIONS={EXAMPLES / 'connections.yaml'}" in text
    assert signal.getsignal(signal.SIGINT) is before


class Terminal(io.StringIO):
    """Stdout where a person sits."""

    def isatty(self) -> bool:
        """Yes."""
        return True


MESSAGE = SentMessage(
    message_id="id-1",
    at=0.0,
    service="sesv2",
    region="eu-west-1",
    access_key_id="",
    session_name=None,
    source="a@x.io",
    to=(),
    size=9,
    simple=Content("Hello", "Hello Ada"),
)


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals(
    monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool
) -> None:
    """A terminal gets colours, unless NO_COLOR is set; the words are the same."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm-256color")
    show = Show(one_line=False)
    step = Step("one", "[bold]One[/bold]", lambda _: Report(), "send-email.json")
    show.begin(1, step)
    show.end(1, step, Report((("invocation", {"to": ["[red]ada"]}),), (MESSAGE,)))
    text = terminal.getvalue()
    assert ("\x1b[" in text) is coloured
    assert "[bold]One[/bold]" in text
    assert "[red]ada" in text


def test_long_texts_are_cut_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """An attachment does not fill the screen; what says how to go on is never cut."""
    step = Step("one", "One", lambda _: Report())
    Show(one_line=False).end(
        1, step, Report((("result", {"data": "A" * 5000, "hint": "B" * 200}),))
    )
    text = capsys.readouterr().out
    assert "… (5,000 characters)" in text
    assert "B" * 200 in text


class Gone(io.StringIO):
    """Stdout that can no longer be written to."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error
        self.asked = 0

    def write(self, _text: str) -> int:
        """No."""
        self.asked += 1
        raise self.error


@pytest.mark.parametrize(
    ("error", "lost"), [(BrokenPipeError(), False), (OSError(28, "No space left on device"), True)]
)
def test_a_reader_who_leaves_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, error: OSError, lost: bool
) -> None:
    """Writing stops at once; only what was lost for another reason than the reader's leaving counts
    against the demo.
    """
    gone = Gone(error)
    monkeypatch.setattr(sys, "stdout", gone)
    show = Show(one_line=True)
    show.line(1)
    show.line(2)
    assert (gone.asked, show.lost) == (1, lost)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=60),
    lambda inner: (
        st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=30), inner, max_size=8)
    ),
    max_leaves=30,
)


@given(_JSON)
def test_folded_json_is_the_same_json(value: Any) -> None:
    """However it is laid out, it reads as what it was."""
    assert json.loads(folded(value)) == value


def test_the_examples_are_the_same_in_both_places() -> None:
    """The folder ``examples`` of the source tree and the package hold the same files, byte for
    byte.
    """
    tree = Path(__file__).parents[3] / "examples"
    assert {path.name: path.read_bytes() for path in tree.iterdir() if path.is_file()} == {
        path.name: path.read_bytes() for path in EXAMPLES.iterdir()
    }


def test_every_example_is_on_the_tour_and_explained() -> None:
    """No invocation lies around that the tour does not run and the README does not name."""
    invocations = {path.name for path in EXAMPLES.glob("*.json")}
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert invocations == {step.example for step in STEPS if step.example}
    assert [
        name
        for name in invocations
        if f"`{name}`" not in readme or f"--file examples/{name}" not in readme
    ] == []
