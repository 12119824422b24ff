"""The container file: what it starts from, what goes in, and under which account it runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.deploy.deployment import DEPLOY, ROOT, Instruction, parsed, stages, variables

_ACCOUNT = "10001:10001"


def _last(name: str) -> Instruction:
    return [item for item in stages()[-1] if item.name == name][-1]


def test_the_container_file_passes_hadolint() -> None:
    """hadolint, the linter of container files, has nothing to say."""
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [program, "--no-color", DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_holds_what_was_built_and_nothing_more() -> None:
    """Tools and sources stay in the first stage; the second takes the environment alone, and
    installs nothing.
    """
    build, image = stages()
    copied = [item.text for item in image if item.name in ("COPY", "ADD")]
    assert copied == ["--from=build /opt/jackfield /opt/jackfield"]
    assert not any(re.search(r"\b(pip|apt|apk|curl|wget)\b", item.text) for item in image)
    assert [item.text.split()[0] for item in (*build, *image) if item.name == "FROM"] == [
        "${PYTHON_IMAGE}",
        "${PYTHON_IMAGE}",
    ]


def test_versions_are_those_of_the_constraints() -> None:
    """Each installation obeys constraints.txt, the build backend's included; extras are the
    project's; the wheels are the repository's.
    """
    text = " ".join(item.text for item in stages()[0] if item.name == "RUN")
    installs = re.findall(r"install [^&]*", text)
    assert len(installs) == 2
    assert all("--constraint constraints.txt" in command for command in installs)
    wheel = "pip wheel --quiet --no-deps --no-build-isolation --wheel-dir wheels"
    assert f"{wheel} . ./runtime/jackfield_*" in text
    assert f"{wheel}/connectors ./connectors/*" in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = next(
        item.text.partition("=")[2] for item in stages()[0] if item.text.startswith("EXTRAS=")
    )
    assert set(extras.split(",")) <= project["optional-dependencies"].keys()
    assert "market" in extras.split(","), (
        "'jackfield install' and the console's marketplace need it"
    )
    version = next(
        item.text.partition("=")[2] for item in stages()[1] if item.text.startswith("VERSION=")
    )
    assert version == project["version"]


def test_it_runs_without_privileges() -> None:
    """The account is a number that is not root's, so that an orchestrator can see it; the code
    belongs to root.
    """
    assert _last("USER").text == _ACCOUNT
    assert "--chown" not in _last("COPY").text
    assert f"JACKFIELD_HOME={_last('WORKDIR').text}" in _last("ENV").words
    assert {
        word.partition("=")[0] for word in _last("ENV").words if word.startswith("JACKFIELD_")
    } <= variables()


def test_it_serves_and_stops_by_signal() -> None:
    """The command serves on the exposed port behind a proxy; the argument replaces it; SIGTERM
    stops it; the port is the one probed.
    """
    command = json.loads(_last("CMD").text)
    options = parsed(command)
    assert json.loads(_last("ENTRYPOINT").text) == ["env", "--block-signal=TERM", "jackfield"]
    assert (options.host, options.behind_proxy, str(options.port)) == (
        "::",
        True,
        _last("EXPOSE").text,
    )
    assert _last("STOPSIGNAL").text == "SIGTERM"
    assert json.loads(_last("HEALTHCHECK").text.partition(" CMD ")[2]) == [
        "python",
        "-m",
        "jackfield_service.health",
    ]


def test_labels_say_what_it_is() -> None:
    """Labels have the names of the OCI image specification and the project's own text."""
    labels = dict(word.split("=", 1) for word in _last("LABEL").words)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert all(name.startswith("org.opencontainers.image.") for name in labels)
    said = {name.rpartition(".")[2]: value for name, value in labels.items()}
    assert (said["title"], said["description"], said["licenses"]) == (
        project["name"],
        project["description"],
        project["license"],
    )
    assert said.keys() >= {"version", "revision", "source"}


def test_only_sources_enter_the_build() -> None:
    """.dockerignore leaves everything out and lets back in what the build copies: no history,
    environments, secrets or tests.
    """
    lines = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert lines[0] == "*"
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]
    for entry in allowed:
        assert list(ROOT.glob(entry)), entry
    copied = [word for item in stages()[0] if item.name == "COPY" for word in item.words[:-1]]
    assert all(any(entry.split("/")[0] == word for entry in allowed) for word in copied)
    assert not [entry for entry in allowed if re.search(r"test|\.git|\.venv|deploy|secret", entry)]
