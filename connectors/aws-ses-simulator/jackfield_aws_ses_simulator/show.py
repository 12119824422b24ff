"""Output of the demo: paragraphs for people, coloured on a terminal; one JSON line per step for
programs.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from jackfield.kernel.local import silence_stdout
from jackfield_aws_ses_simulator.aws.messages import SentMessage
from jackfield_aws_ses_simulator.stage import Report, Step, message_json, message_rows

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_LONGEST = 72
"""Maximum characters printed of a JSON string; an attachment has thousands."""
_WIDTH = 110
"""Maximum columns of an object or a list that is printed on one line."""
_LABEL = 12


class Show:
    """Printer to stdout. After its reader has closed the pipe, the printer writes nothing, and the
    demo still succeeds.

    ``lost`` is set if writing failed for another reason (a full disk); the demo fails then.
    """

    def __init__(self, *, one_line: bool) -> None:
        self.one_line = one_line
        self.lost = False
        self._closed = False
        self._console = None if one_line else _console()

    def begin(self, number: int, step: Step) -> None:
        """Print the heading of a step for people."""
        if not self.one_line:
            self.text(f"\n{number}. {step.title}", "bold cyan")

    def end(self, number: int, step: Step, report: Report) -> None:
        """Print the outcome of a step."""
        if self.one_line:
            about = {"example": f"examples/{step.example}"} if step.example else {}
            self.line(
                {"step": number, "key": step.key, "title": step.title, **about, **report.to_json()}
            )
            return
        for name, value in report.shown:
            of_example = name == "invocation" and step.example
            self.text(f"{name} (examples/{step.example})" if of_example else name, "bold")
            self._json(value)
        for message in report.received:
            self.message(message)
        for fault in report.faults:
            self.text(f"✗ {fault}", "bold red")
        if not report.faults:
            self.text("✓ as expected", "green")

    def message(self, message: SentMessage) -> None:
        """Print a message as AWS received it."""
        if self.one_line:
            self.line({"received": message_json(message)})
            return
        self.text(f"received by AWS ({message.kind.title()} content)", "bold")
        self.text(
            "\n".join(f"  {label:<{_LABEL}}{value}" for label, value in message_rows(message))
        )

    def text(self, text: str, style: str = "") -> None:
        """Print text for people."""
        if self._console is None:
            self._write(f"{text}\n")
            return
        from rich.text import Text

        self._draw(Text(text, style))

    def line(self, value: object) -> None:
        """Print a line for programs."""
        self._write(json.dumps(value, ensure_ascii=False) + "\n")

    def _json(self, value: object) -> None:
        text = folded(_shortened(value))
        if self._console is None:
            self._write(f"{text}\n")
            return
        from rich.highlighter import JSONHighlighter

        self._draw(JSONHighlighter()(text))

    def _draw(self, text: Text) -> None:
        if self._console is not None:
            with self._console.capture() as captured:
                self._console.print(text, soft_wrap=True)
            self._write(captured.get())

    def _write(self, text: str) -> None:
        if self._closed:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            self._closed = True
            self.lost = not isinstance(error, BrokenPipeError)
            silence_stdout()


def _console() -> Console | None:
    """Return Rich's console if colours are wanted: on a terminal, with rich, unless NO_COLOR is set
    (no-color.org). Return None otherwise.
    """
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return None
    try:
        from rich.console import Console
    except ModuleNotFoundError:
        return None

    return Console()


def folded(value: object, depth: int = 0) -> str:
    """Format ``value`` as JSON with several members per line, so that more fits on a screen."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(flat) + 2 * depth <= _WIDTH:
        return flat
    if isinstance(value, list):
        pieces, left, right = [folded(item, depth + 1) for item in value], "[", "]"
    else:
        pieces = [
            f"{json.dumps(name, ensure_ascii=False)}: {folded(item, depth + 1)}"
            for name, item in value.items()
        ]
        left, right = "{", "}"
    margin = "  " * (depth + 1)
    lines = f",\n{margin}".join(_filled(pieces, _WIDTH - len(margin)))
    return f"{left}\n{margin}{lines}\n{margin[2:]}{right}"


def _filled(pieces: Iterable[str], width: int) -> Iterable[str]:
    """Join neighbouring pieces that fit on one line; a multi-line piece stays alone."""
    line = ""
    for piece in pieces:
        joined = f"{line}, {piece}"
        if line and "\n" not in joined and len(joined) <= width:
            line = joined
        else:
            if line:
                yield line
            line = piece
    yield line


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: item if name in {"message", "hint"} else _shortened(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:_LONGEST]}… ({len(value):,} characters)"
    return value
