"""A process that calls, or sends the request of a doubt again, over a database that it shares.

``python asking_process.py FOLDER URL LOG call dies`` is killed by its own provider;
``… ask ID`` says ``ready``, waits for a line, and asks.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from jackfield.connector import JackfieldError, current_call
from scripted import Reply, Script, invocation, runtime, scripted

KEPT = 1800.0


def main(folder: str, url: str, log: str, act: str, about: str) -> None:
    """Call, or ask for the doubt ``about``; a call with ``about`` other than its key is queued."""

    def provider(_inputs: Any) -> str:
        call = current_call()
        assert call is not None
        with Path(log).open("a", encoding="utf-8") as sent:
            sent.write(f"{call.idempotency_key}\n")
        if act == "call":
            os._exit(9)
        return "done"

    connector = scripted(
        Script(Reply(provider)), effect="idempotent", idempotent_by="key", key_kept=KEPT
    )
    with runtime(Path(folder), connector, database_url=url) as board:
        if act == "call":
            board.jackfield.invoke(invocation(timeoutSeconds=30, inputs={"text": about}))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        try:
            outcome: str = board.jackfield.ask(about).status
        except JackfieldError as error:
            outcome = error.code
        sys.stdout.write(f"{outcome}\n")


main(*sys.argv[1:])
