"""The fake as a process: prints its URL as the first line, then serves until SIGTERM, SIGINT or the end of its input."""

from __future__ import annotations

import argparse
import gc
import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .naming import from_camel
from .options import parse
from .server import Server
from .state import State

if TYPE_CHECKING:
    from collections.abc import Sequence


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fake_aws", description="A fake AWS endpoint for SES and STS.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 = a free one")
    parser.add_argument("--latency", type=float, help="seconds before each answer")
    parser.add_argument("--connect-latency", type=float, help="seconds more before the first answer on a connection")
    parser.add_argument("--no-message-bytes", action="store_true", help="do not keep texts, attachments and raw bytes")
    parser.add_argument("--json", default="{}", help="an endpoint in JSON")
    parser.add_argument("--config", type=Path, help="a file that holds an endpoint in JSON")
    parser.add_argument("--watch-stdin", action="store_true", help="end when the input ends, so as not to outlive the caller")
    return parser.parse_args(argv)


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    text = arguments.config.read_text("utf-8") if arguments.config else arguments.json
    options = {from_camel(name): value for name, value in json.loads(text).items()}
    for name in ("latency", "connect_latency"):
        if getattr(arguments, name) is not None:
            options[name] = getattr(arguments, name)
    return {**options, "message_bytes": False} if arguments.no_message_bytes else options


def _watch(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; 2 where the options are not valid."""
    arguments = _arguments(argv)
    try:
        settings = parse(_options(arguments))
    except (ValueError, TypeError, AttributeError, OSError) as error:
        sys.stderr.write(f"fake_aws: {error}\n")
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = Server(State(settings, time.time), arguments.host, arguments.port)
    # The log only grows and holds no cycles: collecting it again and again would show in the timings.
    gc.freeze()
    gc.disable()
    server.start()
    sys.stdout.write(f"http://{server.address[0]}:{server.address[1]}\n")
    sys.stdout.flush()
    if arguments.watch_stdin:
        threading.Thread(target=_watch, args=(stop,), daemon=True).start()
    stop.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
