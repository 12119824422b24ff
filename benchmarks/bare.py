"""A child: the bare Starlette application that answers are compared with. It validates a body by
the same schema and echoes it.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import jsonschema_rs
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def _main() -> None:
    manifest = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    schema = next(action["inputs"] for action in manifest["actions"] if action["key"] == "say")
    validator = jsonschema_rs.validator_for(schema)

    async def echo(request: Request) -> Response:
        body = orjson.loads(await request.body())
        if not validator.is_valid(body["inputs"]):
            return Response(status_code=422)
        return Response(
            orjson.dumps({"status": "succeeded", "output": body["inputs"]}),
            media_type="application/json",
        )

    app = Starlette(routes=[Route("/v1/invocations", echo, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    sys.stderr.write(f"listens on http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stderr.flush()
    uvicorn.Server(
        uvicorn.Config(app, loop="uvloop", http="httptools", log_config=None, access_log=False)
    ).run([listener])


if __name__ == "__main__":
    _main()
