"""Cold starts and memory, as ratios to ``python -c pass`` and to a bare boto3 script."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import Line, endpoint, paired, run_child, wall_of_command
from benchmarks.scenes import KEYS, MAIL, invocation, static_connection

_PYTHON = sys.executable
_COMMAND = str(Path(_PYTHON).parent / "jackfield")
_ROUNDS = 15
_SCRIPT = f"""
import boto3
client = boto3.client("sesv2", endpoint_url="URL", region_name="eu-west-1", aws_access_key_id={KEYS["accessKeyId"]!r},
    aws_secret_access_key={KEYS["secretAccessKey"]!r})
client.send_email(FromEmailAddress={MAIL["sender"]!r}, Destination={{"ToAddresses": {MAIL["to"]!r}}}, Content={{"Simple": {{
    "Subject": {{"Data": {MAIL["subject"]!r}, "Charset": "UTF-8"}}, "Body": {{"Text": {{"Data": {MAIL["text"]!r}, "Charset": "UTF-8"}}}}}}}})
"""


def lines() -> Iterator[Line]:
    """All lines about starting and remembering."""
    for words, goal in ((["--help"], 3.0), (["connectors", "list"], 8.0)):
        ratio, mine, other = paired(
            lambda words=words: wall_of_command([_COMMAND, *words]),  # type: ignore[misc]
            lambda: wall_of_command([_PYTHON, "-c", "pass"]),
            _ROUNDS,
        )
        what = f"cold `jackfield {' '.join(words)}` against `python -c pass`"
        yield Line(what, f"{ratio:.1f}× ({mine * 1000:.0f} ms / {other * 1000:.0f} ms)", f"≤ {goal:g}×", ratio <= goal)
    with tempfile.TemporaryDirectory() as folder:
        yield from _invokes(Path(folder))
    yield _memory()


def _invokes(folder: Path) -> Iterator[Line]:
    with endpoint(blind=True) as aws:
        connections = folder / "connections.json"
        connections.write_text(json.dumps({"connections": static_connection(aws.url)}), encoding="utf-8")
        mail = folder / "mail.json"
        mail.write_text(json.dumps(invocation()), encoding="utf-8")
        script = folder / "bare.py"
        script.write_text(_SCRIPT.replace("URL", aws.url), encoding="utf-8")
        many = folder / "many"
        plug_in(many, 999)
        settings = {"JACKFIELD_CONNECTIONS": str(connections)}
        command = [_COMMAND, "invoke", "--file", str(mail)]
        ratio, mine, other = paired(lambda: wall_of_command(command, settings), lambda: wall_of_command([_PYTHON, str(script)]), _ROUNDS)
        yield Line(
            "cold `jackfield invoke` against a bare boto3 script that sends the same mail",
            f"{ratio:.2f}× ({mine * 1000:.0f} ms / {other * 1000:.0f} ms)",
            "≤ 1.5×",
            ratio <= 1.5,
        )
        journal = {**settings, "JACKFIELD_DATABASE_URL": "", "JACKFIELD_HOME": str(folder / "home")}
        wall_of_command(command, journal)  # makes the database and its key, once
        ratio, mine, other = paired(lambda: wall_of_command(command, journal), lambda: wall_of_command([_PYTHON, str(script)]), _ROUNDS)
        yield Line(
            "the same with the journal that jackfield keeps by default, in SQLite",
            f"{ratio:.2f}× ({mine * 1000:.0f} ms / {other * 1000:.0f} ms)",
            "≤ 1.5×",
            ratio <= 1.5,
        )
        crowd = {**settings, "PYTHONPATH": str(many)}
        ratio, mine, other = paired(lambda: wall_of_command(command, crowd), lambda: wall_of_command(command, settings), _ROUNDS)
        yield Line(
            "cold `jackfield invoke` with 1,000 connectors against one",
            f"{ratio:.2f}× ({mine * 1000:.0f} ms / {other * 1000:.0f} ms)",
            "≤ 1.3×",
            ratio <= 1.3,
        )


def _memory() -> Line:
    with tempfile.TemporaryDirectory() as folder:
        plug_in(Path(folder), 999)
        many = run_child("benchmarks.crowd", environment={"PYTHONPATH": folder})
    one = run_child("benchmarks.crowd")
    more = (many["rss"] - one["rss"]) / 1024 / 1024
    what = f"{many['connectors']} connectors loaded, 10 used, against one: memory"
    return Line(what, f"{more:.0f} MiB more", "≤ 40 MiB more", more <= 40)


def plug_in(folder: Path, count: int) -> None:
    """Install ``count`` made-up connectors into a folder, each with a manifest of about 60 kB."""
    namespace: dict[str, Any] = {"__name__": "made_up"}
    exec(_MODULE.format(key="made-up"), namespace)
    manifest = namespace["connector"].describe()
    for number in range(count):
        name = f"made-up-{number}"
        package = folder / f"jackfield_{name.replace('-', '_')}"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(_MODULE.format(key=name), encoding="utf-8")
        (package / "connector.json").write_text(json.dumps({**manifest, "key": name}), encoding="utf-8")
        info = folder / f"{package.name}-1.0.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package.name}\nVersion: 1.0.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[jackfield.connectors]\n{name} = {package.name}:connector\n", encoding="utf-8")


_MODULE = """
from pydantic import create_model

from jackfield.connector import Connector, Field, Inputs, Output

connector = Connector("{key}", title="Made up", version="1.0.0")


class Said(Output):
    text: str


def declare(number):
    fields = {{f"text_{{place}}": (str, Field(title="Text", description="A text that somebody has written. " * 9)) for place in range(30)}}
    inputs = create_model(f"Inputs{{number}}", __base__=Inputs, **fields)

    def say(inputs):
        return Said(text="said")

    say.__doc__ = "Say it."
    say.__annotations__ = {{"inputs": inputs, "return": Said}}
    connector.action(f"say{{number}}", effect="read")(say)


for number in range(4):
    declare(number)
"""
