"""``jackfield new`` writes a connector that is sound from its first minute, and ``jackfield check``
grades what it sees.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from doc_pages import ROOT
from jackfield.connector.models import DeclarationError
from jackfield_market.commands.check import _COLOURS
from jackfield_market.testing.declared_examples import require_examples
from jackfield_market.testing.grading import at_least
from jackfield_market.testing.subject import TIERS
from shell import Answer, Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


ICON = (
    "ICON = \"data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 "
    "24 24'><circle cx='12' cy='12' r='9'/></svg>\""
)
TESTED = """@connector.test
def test_key(client: hmac.HMAC) -> list[Step]:
    return [Step("key", "The key can sign", passed=bool(client.digest()), message="It signed nothing.")]
"""
UNDONE = {"placeholders-replaced", "listed-for-people", "connection-test-present", "icon-present"}


TEMPLATES = [
    path
    for folder in ("runtime", "connectors")
    for path in ROOT.joinpath(folder).glob("*/**/templates/*/**/*.tmpl")
]


def _failed(answer: Answer) -> set[str]:
    return {rule["name"] for rule in answer.json["rules"] if rule["passed"] is False}


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_new_connector_is_bronze_and_its_tests_pass(shell: Shell) -> None:
    """The project passes `check` at bronze, its own tests pass, the linter finds nothing; only the
    author's texts are missing.

    `make types` has mypy read such a project with ours.
    """
    answer = shell.run("new", "acme-crm", "--python")
    made = answer.json
    assert made["folder"] == "acme-crm"
    assert "pip install --editable acme-crm" in answer.err
    assert {
        "pyproject.toml",
        "LICENSE",
        "jackfield_acme_crm/connector.json",
        "jackfield_acme_crm/py.typed",
    } <= set(made["files"])
    answer = shell.run("check", "acme-crm")
    assert (answer.code, answer.json["grade"]) == (0, "bronze")
    assert _failed(answer) == UNDONE
    folder = shell.folder / "acme-crm"
    checks = [
        "pytest -q -p no:cacheprovider",
        "ruff check --no-cache .",
        "ruff format --no-cache --check .",
    ]
    for command in map(str.split, checks):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_long_key_keeps_the_form(shell: Shell) -> None:
    """A project whose key is as long as allowed is formatted too."""
    shell.run("new", f"acme-{'x' * 55}", "--python")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "."],
        cwd=shell.folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert shell.run("new", f"acme-{'x' * 56}").code == 2


def test_the_authors_texts_lift_the_grade(shell: Shell) -> None:
    """With its placeholders replaced and the manifest's texts given, the sample is platinum."""
    shell.run("new", "acme-crm", "--python")
    folder = shell.folder / "acme-crm"
    for name in ("README.md", "LICENSE", "pyproject.toml", "jackfield_acme_crm/__init__.py"):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(
            re.sub(r'CHANGE ME: [^"\n]*', "Greets customers of Acme.", text), encoding="utf-8"
        )
    module = folder / "jackfield_acme_crm" / "__init__.py"
    texts = (
        'categories=["crm"],\n    documentation_url="https://acme.example.com/docs",\n    '
        'license="MIT",\n    icon=ICON,\n    connections='
    )
    _replace(module, "connections=", texts)
    _replace(module, "connector = Connector(", f"{ICON}\nconnector = Connector(")
    _replace(module, "class Text(Inputs)", f"{TESTED}\n\nclass Text(Inputs)")
    _replace(module, "Rejected, Sent", "Rejected, Sent, Step")
    stale = shell.run("check", "acme-crm")
    assert (stale.code, stale.json["grade"]) == (1, "none")
    assert "acme-crm: no grade, " in stale.err
    assert "manifest-matches-code" in _failed(stale)
    answer = shell.run("check", "acme-crm", "--write-manifest", "--at-least", "platinum", "--json")
    assert (answer.code, answer.json["grade"], _failed(answer)) == (0, "platinum", set())
    assert all(
        rule["evidence"] and rule["reason"] and rule["cure"] for rule in answer.json["rules"]
    )


def test_a_piped_check_says_what_failed(shell: Shell) -> None:
    """Where its output is piped, only rules that failed have evidence and a cure; all have them
    with `--json`.
    """
    shell.run("new", "acme-crm", "--python")
    short, whole = (
        shell.run("check", "acme-crm").json,
        shell.run("check", "acme-crm", "--json").json,
    )
    assert [rule["name"] for rule in short["rules"]] == [rule["name"] for rule in whole["rules"]]
    assert {rule["name"] for rule in short["rules"] if "cure" in rule} == UNDONE
    assert all("cure" in rule for rule in whole["rules"])


def test_a_check_s_faults_are_lines_for_a_log(shell: Shell) -> None:
    """With `--format lines`, each fault with its rule and cure after the grade; a piped check says
    so on stderr, `--json` does not.
    """
    shell.run("new", "acme-crm", "--python")
    lines = shell.run("check", "acme-crm", "--format", "lines", "--at-least", "silver")
    grade, *faults = lines.out.splitlines()
    assert (
        lines.code,
        bool(re.fullmatch(rf"acme-crm: bronze, {len(UNDONE)} of \d+ rules failed", grade)),
    ) == (1, True)
    assert {fault.partition(" (")[0] for fault in faults} == UNDONE
    tiers = [TIERS.index(fault.partition(" (")[2].partition(")")[0]) for fault in faults]
    assert tiers == sorted(tiers)
    assert "placeholders-replaced (silver): LICENSE contains 'CHANGE ME'. Replace" in lines.out
    assert grade in shell.run("check", "acme-crm").err
    assert shell.run("check", "acme-crm", "--format", "lines", "--json").json["grade"] == "bronze"
    assert shell.run("check", "acme-crm", "--json").err == ""


@pytest.mark.tree_only
def test_a_sentence_of_a_template_is_not_the_author_s(shell: Shell) -> None:
    """To replace the mark before it, in whatever template, lifts no grade."""
    shell.run("new", "acme-crm", "--python")
    found = {
        line[line.index("CHANGE ME") :]
        for path in TEMPLATES
        for line in path.read_text(encoding="utf-8").splitlines()
        if "CHANGE ME" in line
    }
    assert len(found) >= 7
    for sentence in found:
        shell.write("acme-crm/README.md", sentence.replace("CHANGE ME", "Acme CRM"))
        (_, rule) = shell.run("check", "acme-crm", "--rule", "placeholders-replaced").json["rules"]
        assert rule["evidence"][0].startswith("README.md contains the template's sentence"), (
            sentence
        )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["Acme"], "kebab-case"),
        (["a--b"], "kebab-case"),
        (["host"], "reserved"),
        (["invocation", "--python"], "reserved"),
        (["../x"], "kebab-case"),
        (["acme"], "no installed package has templates"),
        (["acme", "--http"], "no installed package has templates"),
        (["acme", "--openapi", "x.json"], "no installed package generates"),
        (["acme", "--aws"], "no installed package has templates"),
        (["acme", "--aws", "sqs"], "no installed package generates"),
        (["full"], "not an empty folder"),
    ],
)
def test_new_refuses(shell: Shell, words: list[str], says: str) -> None:
    """Nothing is written for a name that is no key, a folder that is in use, or a kit that is
    missing; the answer says what to do.
    """
    shell.write("full/note.txt", "x")
    answer = shell.run("new", *words)
    error = answer.json["error"]
    assert (answer.code, says in error["message"], bool(error["hint"])) == (2, True, True)
    assert not (shell.folder / words[0]).exists() or words == ["full"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("raise RuntimeError('broken')", "RuntimeError: broken"),
        ("import os; os._exit(7)", "ended with 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended with -11"),
        ("print('hello')", ""),
    ],
)
def test_a_broken_connector_breaks_no_check(shell: Shell, line: str, says: str) -> None:
    """Code that raises, exits or crashes on import gets no grade, and the command says how it
    ended; its prints stay out.
    """
    shell.run("new", "acme", "--python")
    module = shell.folder / "acme" / "jackfield_acme" / "__init__.py"
    module.write_text(f"{module.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    answer = shell.run("check", "acme")
    found = {rule["name"]: rule for rule in answer.json["rules"]}
    assert (answer.code, answer.json["grade"]) == (1, "none")
    if says:
        assert says in found["connector-loads"]["evidence"][0]
        assert {rule["passed"] for name, rule in found.items() if name != "connector-loads"} == {
            None
        }
    else:
        assert found["import-is-quiet"]["passed"] is False


_EXAMPLES = {
    '{"title": "A ticket", "inputs": {}}': (
        "example 1 of the action 'tell': '/invocation' is missing. Write a pair ({inputs}, "
        "{output})"
    ),
    '{"title": "A ticket", "invocation": {"inputs": {}}, "result": {}}': "'/invocation/connector' is missing",
    '{"title": "A ticket", "invocation": 7, "result": {}}': "'/invocation' is no object",
}


@pytest.mark.parametrize("example", _EXAMPLES)
def test_an_example_of_another_shape_is_named_with_its_cure(shell: Shell, example: str) -> None:
    """The message says which example lacks what, and how to write it."""
    shell.run("new", "acme", "--python")
    module = shell.folder / "acme" / "jackfield_acme" / "__init__.py"
    action = f"""
class Told(Output):
    \"\"\"What was told.\"\"\"


@connector.action("tell", examples=[{example}])
def tell(inputs: Inputs) -> Told:
    \"\"\"Tell.\"\"\"
    return Told()
"""
    module.write_text(
        "from jackfield.connector import Inputs, "
        f"Output\n{module.read_text(encoding='utf-8')}\n{action}",
        encoding="utf-8",
    )
    answer = shell.run("check", "acme", "--write-manifest")
    assert (answer.code, answer.json["grade"]) == (1, "none")
    assert _EXAMPLES[example] in answer.json["rules"][0]["evidence"][0]


_SAMPLES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"request": {}}, '\'/request/body\' is missing. Write {"title": …, "request"'),
    (
        {"source": {"item": {"id": 1}, "id": "/id", "at": "/openedAt"}},
        "'/source/at' is '/openedAt', which is nowhere in '/source/item'",
    ),
    ({"events": "t-1"}, "'/events' is no list"),
    ({"registrations": "hooks"}, "'/registrations' must be a JSON Pointer such as '/hooks'"),
)


@pytest.mark.parametrize(
    ("sample", "says"), _SAMPLES, ids=["request", "source", "events", "registrations"]
)
def test_a_sample_of_a_trigger_of_another_shape_is_named(sample: dict[str, Any], says: str) -> None:
    """A webhook's and a poll's lack other members."""
    row = {"key": "opened", "examples": [{"title": "A ticket", **sample}]}
    with pytest.raises(DeclarationError, match="example 1 of the trigger 'opened'") as raised:
        require_examples({"triggers": [row]})
    assert says in str(raised.value)


def test_the_child_has_no_keys(shell: Shell) -> None:
    """The author's code does not get jackfield's or AWS's variables."""
    shell.set(JACKFIELD_MASTER_KEY="k", AWS_SECRET_ACCESS_KEY="s")
    shell.run("new", "acme", "--python")
    module = shell.folder / "acme" / "jackfield_acme" / "__init__.py"
    text = (
        "import os\nassert not [name for name in os.environ if "
        "name.startswith(('JACKFIELD_', 'AWS_'))]\n"
    )
    module.write_text(f"{module.read_text(encoding='utf-8')}\n{text}", encoding="utf-8")
    assert shell.run("check", "acme").json["grade"] == "bronze"


def test_reports(shell: Shell) -> None:
    """SARIF holds a result for each fault, the badge the grade, and a terminal gets a table."""
    shell.run("new", "acme", "--python")
    answer = shell.run(
        "check", "acme", "--sarif", "check.sarif", "--badge", "grade.svg", "--at-least", "silver"
    )
    assert answer.code == 1
    log = json.loads((shell.folder / "check.sarif").read_text(encoding="utf-8"))
    run = log["runs"][0]
    assert log["version"] == "2.1.0"
    assert {result["ruleId"] for result in run["results"]} == _failed(answer)
    assert all(
        run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        for result in run["results"]
    )
    picture = ET.fromstring((shell.folder / "grade.svg").read_text(encoding="utf-8"))
    assert picture.attrib["aria-label"] == "jackfield: bronze"
    assert set(_COLOURS) == {"none", "bronze", "silver", "gold", "platinum"}
    table = shell.on_terminal("check", "acme")
    assert "not a project" not in table.out
    verdicts = re.findall(r" (passed|failed|not applicable) ", table.out)
    assert [*map("failed".__eq__, verdicts)] == sorted(map("failed".__eq__, verdicts))
    assert "acme: bronze" in table.out


def test_single_rules_are_judged(shell: Shell) -> None:
    """`--rule` judges these rules alone, without a grade, and says how long each took; a fault is
    exit code 1.
    """
    shell.run("new", "acme", "--python")
    answer = shell.run(
        "check",
        "acme",
        "--rule",
        "import-changes-nothing",
        "--rule",
        "placeholders-replaced",
        "--at-least",
        "platinum",
    )
    rules = {rule["name"]: rule for rule in answer.json["rules"]}
    assert [*rules] == ["connector-loads", "import-changes-nothing", "placeholders-replaced"]
    assert (answer.code, answer.json["grade"], _failed(answer)) == (
        1,
        None,
        {"placeholders-replaced"},
    )
    assert rules["import-changes-nothing"]["seconds"] > 0
    assert (
        shell.run("check", "acme", "--rule", "secrets-marked", "--at-least", "platinum").code == 0
    )
    table = shell.on_terminal(
        "check", "acme", "--rule", "placeholders-replaced", "--rule", "secrets-marked"
    )
    assert "Seconds" in table.out
    assert "acme: 1 of 3 rules failed" in table.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--rule", "secret-marked"], "did you mean 'secrets-marked'"),
        (["--rule", "tests-end", "--badge", "x"], "badge"),
    ],
)
def test_rules_that_are_not_there_are_refused(shell: Shell, words: list[str], says: str) -> None:
    """A misspelt rule, and a badge of some rules, are mistakes of usage."""
    shell.run("new", "acme", "--python")
    answer = shell.run("check", "acme", *words)
    assert (answer.code, says in answer.json["error"]["message"]) == (2, True)


def test_progress_is_on_stderr(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows the rule that is judged, a log has a line when it takes long, and neither is
    in the answer.
    """
    shell.run("new", "acme", "--python")
    words = ("check", "acme", "--rule", "tests-end", "--rule", "secrets-marked")
    assert shell.run(*words).err == ""
    monkeypatch.setattr("jackfield_market.commands.check._QUIET", 0.0)
    long = shell.run(*words)
    assert long.err.splitlines() == [
        "jackfield check: rule 1 of 2: secrets-marked",
        "jackfield check: rule 2 of 2: tests-end",
    ]
    assert long.json["connector"] == "acme"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "\r\x1b[Kjackfield check: rule 2 of 2: tests-end\r\x1b[K" in shell.run(*words).err


def test_a_connector_that_cannot_be_loaded_has_a_short_table(shell: Shell) -> None:
    """A terminal shows the error, and not each rule that it leaves open."""
    shell.run("new", "acme", "--python")
    shell.write("acme/jackfield_acme/__init__.py", "raise RuntimeError('broken')\n")
    table = shell.on_terminal("check", "acme")
    assert "broken" in table.out
    assert "rules cannot be judged before the connector can be loaded" in table.out
    assert "secrets-marked" not in table.out


@pytest.mark.parametrize("path", ["./nowhere", "nowhere", "empty"])
def test_check_refuses_what_is_no_connector(shell: Shell, path: str) -> None:
    """A folder that is missing or has no pyproject.toml, and an unknown key, are mistakes of
    usage.
    """
    (shell.folder / "empty").mkdir()
    answer = shell.run("check", path)
    assert (answer.code, bool(answer.json["error"]["hint"])) == (2, True)


def test_an_unknown_option_of_check_is_refused(shell: Shell) -> None:
    """A misspelt member of tool.jackfield.check is named."""
    shell.run("new", "acme", "--python")
    pyproject = shell.folder / "acme" / "pyproject.toml"
    pyproject.write_text(
        pyproject.read_text(encoding="utf-8") + '\n[tool.jackfield.check]\nvalue = "x"\n',
        encoding="utf-8",
    )
    answer = shell.run("check", "acme")
    assert (answer.code, "tool.jackfield.check.value" in answer.json["error"]["message"]) == (
        2,
        True,
    )


def test_grades_are_ordered() -> None:
    """A grade is at least itself and all below it."""
    order = ["none", "bronze", "silver", "gold", "platinum"]
    assert [[at_least(grade, wanted) for wanted in order[1:]].count(True) for grade in order] == [
        0,
        1,
        2,
        3,
        4,
    ]


@pytest.mark.parametrize(
    ("key", "kind"), [("http", "--http"), ("aws", "--aws"), ("http", "--python")]
)
def test_a_library_is_not_hidden(shell: Shell, key: str, kind: str) -> None:
    """A key whose package would have the name of an installed library is refused, and nothing is
    written.
    """
    found = shell.run("new", key, kind)
    assert (found.code, found.json["error"]["code"]) == (2, "invalid_input")
    assert f"{key}-api" in found.json["error"]["hint"]
    assert not (shell.folder / key).exists()
