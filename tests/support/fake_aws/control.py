"""The control calls under /_fake/: how another process sees and steers the fake."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .faults import parse_script
from .options import parse
from .wire import Answer, HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .state import State

CONTROL = "/_fake/"


def control(state: State, release: Callable[[], None], http: HttpRequest) -> Answer:
    """Answer one control call: 200 with JSON, 400 with an error, 404."""
    name = http.path[len(CONTROL) :]
    try:
        if http.method == "GET":
            return _show(state, name)
        return _json(_steer(state, release, name, json.loads(http.body or b"{}")))
    except LookupError as error:
        return _json({"error": str(error)}, 404)
    except (ValueError, TypeError, AttributeError) as error:
        return _json({"error": str(error)}, 400)


def _show(state: State, name: str) -> Answer:
    if name == "state":
        return _json(state.as_json())
    if name == "counters":
        return _json(state.counters())
    if name.startswith("raw/"):
        for message in state.messages:
            if message.message_id == name[4:]:
                return Answer(200, message.raw, "message/rfc822")
    raise LookupError(f"no {name!r} here")


def _steer(state: State, release: Callable[[], None], name: str, body: Any) -> dict[str, Any]:
    if name == "script":
        state.script.extend(parse_script(body["script"] if isinstance(body, dict) else body))
    elif name == "reset":
        state.reset(bool(body.get("sessions", False)))
    elif name == "expire":
        state.expire_sessions()
    elif name == "advance":
        state.advance(float(body["seconds"]))
    elif name == "release":
        release()
    elif name == "configure":
        state.settings = parse(body, state.settings)
    else:
        raise LookupError(f"no {name!r} here")
    return state.counters()


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())
