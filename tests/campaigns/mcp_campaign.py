"""The MCP client beside faults: executions are counted while a server dies at random bytes of its
answers.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from mcp_rig import Talk, ToolServer, call, said, stage

WRITES = 1_000


def writes(count: int) -> int:
    """Call a write many times while the server dies at a random byte of each answer; return how
    many calls are misreported.
    """
    server, executed, rng = ToolServer(), Counter[str](), random.Random(4711)

    def answer(talk: Talk) -> None:
        executed[talk.message["params"]["arguments"]["text"]] += 1
        body = json.dumps(
            {"jsonrpc": "2.0", "id": talk.message["id"], "result": said("done")}
        ).encode()
        head = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % len(body)
        )
        whole = head + body
        talk.wfile.write(whole[: rng.randrange(len(whole) + 100)])
        talk.hang_up()

    server.on_call = answer
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder), server) as jackfield:
        told = {
            str(number): call(jackfield, inputs={"text": str(number)}).status
            for number in range(count)
        }
    # a request may meet the end of a kept connection, and nobody knows
    known = {"succeeded": {1}, "in_doubt": {0, 1}}
    wrong = [text for text, status in told.items() if executed[text] not in known.get(status, ())]
    sys.stdout.write(
        f"{count:,} writes, {sum(executed.values()):,} executed, {Counter(told.values())}: "
        f"{len(wrong)} twice or misreported\n"
    )
    return len(wrong)


if __name__ == "__main__":
    raise SystemExit(1 if writes(int(os.environ.get("SIZE", WRITES))) else 0)
