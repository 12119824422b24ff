"""A 7 MB attachment: time and peak memory. Run as a child: ``python -m benchmarks.attachment
ours|theirs URL``.
"""

from __future__ import annotations

import base64
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Command, Line, compared, endpoint

SIZE = 7 * 1024 * 1024


def lines() -> Iterator[Line]:
    """Time against EmailMessage and v1 SendRawEmail, and our own peak."""
    with endpoint(blind=True) as aws:
        ours, theirs = (
            Command([sys.executable, "-m", "benchmarks.attachment", who, aws.url], value="seconds")
            for who in ("ours", "theirs")
        )
        found = compared(ours, theirs, rounds=5)
    yield found.line("a 7 MB attachment, time against EmailMessage + v1 SendRawEmail", at_most=0.15)
    peak = statistics.median(run["peak"] for run in ours.said)
    yield Line(
        "… peak memory over the base, in sizes of the attachment",
        f"{peak / SIZE:.1f}×",
        "≤ 10×",
        peak <= 10 * SIZE,
    )


def _memory(name: str) -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in text.splitlines() if line.startswith(name)).split()[1]) * 1024


def _child(who: str, url: str) -> None:
    from benchmarks.scenes import MAIL, boto_client, invocation, runtime, static_connection

    content = bytes(range(256)) * (SIZE // 256)
    small = {**MAIL, "attachments": {"a.bin": {"data": base64.b64encode(b"x").decode()}}}
    if who == "ours":
        jackfield = runtime(static_connection(url))
        jackfield.invoke(invocation(inputs=small)).unwrap()
        text = json.dumps(
            invocation(
                inputs={
                    **MAIL,
                    "attachments": {"a.bin": {"data": base64.b64encode(content).decode()}},
                }
            )
        )

        def send() -> None:
            jackfield.invoke(text).unwrap()

    else:
        client = boto_client("ses", url)
        client.send_raw_email(
            Source="noreply@example.com",
            Destinations=["ada@example.com"],
            RawMessage={"Data": _email(b"x")},
        )

        def send() -> None:
            client.send_raw_email(
                Source="noreply@example.com",
                Destinations=["ada@example.com"],
                RawMessage={"Data": _email(content)},
            )

    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    started = time.perf_counter()
    send()
    seconds = time.perf_counter() - started
    sys.stdout.write(json.dumps({"seconds": seconds, "peak": _memory("VmHWM") - before}) + "\n")


def _email(content: bytes) -> bytes:
    from email.message import EmailMessage

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "noreply@example.com",
        "ada@example.com",
        "Hello",
    )
    message.set_content("Hello Ada")
    message.add_attachment(
        content, maintype="application", subtype="octet-stream", filename="a.bin"
    )
    return message.as_bytes()


if __name__ == "__main__":
    _child(sys.argv[1], sys.argv[2])
