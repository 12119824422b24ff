"""Cold starts and memory, as ratios to ``python -c pass`` and to a bare boto3 script."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import Command, Line, compared, endpoint, run_child
from benchmarks.scenes import KEYS, MAIL, invocation, static_connection

COMMAND = str(Path(sys.executable).parent / "jackfield")
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
    nothing = Command([sys.executable, "-c", "pass"])
    for words, goal in ((["--help"], 3.0), (["connectors", "list"], 3.5)):
        found = compared(Command([COMMAND, *words]), nothing, rounds=31)
        yield found.line(
            f"cold `jackfield {' '.join(words)}` against `python -c pass`", at_most=goal
        )
    with tempfile.TemporaryDirectory() as folder, endpoint(blind=True) as aws:
        yield from _invokes(Path(folder), aws.url)
    yield _memory()


def _invokes(folder: Path, url: str) -> Iterator[Line]:
    script, many = folder / "bare.py", folder / "many"
    script.write_text(_SCRIPT.replace("URL", url), encoding="utf-8")
    plug_in(many, 999)
    command, bare = invoke(folder, url), Command([sys.executable, str(script)])
    (folder / "home").mkdir()
    journal = Command(
        command.words, {**command.settings, "JACKFIELD_DATABASE_URL": ""}, home=folder / "home"
    )
    crowd = Command(command.words, {**command.settings, "PYTHONPATH": str(many)})
    for what, ours, theirs, goal in (
        (
            "cold `jackfield invoke` against a bare boto3 script that sends the same mail",
            command,
            bare,
            0.9,
        ),
        (
            "the same with the journal that jackfield keeps by default, in SQLite",
            journal,
            bare,
            1.0,
        ),
        ("cold `jackfield invoke` with 1,000 connectors against one", crowd, command, 1.3),
    ):
        yield compared(ours, theirs, rounds=_ROUNDS).line(what, at_most=goal)


def invoke(folder: Path, url: str) -> Command:
    """Write a connection and a mail into ``folder``; return the command that sends it."""
    connections, mail = folder / "connections.json", folder / "mail.json"
    connections.write_text(json.dumps({"connections": static_connection(url)}), encoding="utf-8")
    mail.write_text(json.dumps(invocation()), encoding="utf-8")
    return Command(
        [COMMAND, "invoke", "--file", str(mail)], {"JACKFIELD_CONNECTIONS": str(connections)}
    )


def _memory() -> Line:
    with tempfile.TemporaryDirectory() as folder:
        plug_in(Path(folder), 999)
        many = run_child("benchmarks.crowd", settings={"PYTHONPATH": folder})
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
        (package / "connector.json").write_text(
            json.dumps({**manifest, "key": name}), encoding="utf-8"
        )
        info = folder / f"{package.name}-1.0.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package.name}\nVersion: 1.0.0\n", encoding="utf-8"
        )
        (info / "entry_points.txt").write_text(
            f"[jackfield.connectors]\n{name} = {package.name}:connector\n", encoding="utf-8"
        )


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
