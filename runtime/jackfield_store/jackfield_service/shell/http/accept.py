"""The header ``Accept`` of a request whose answer has other forms than JSON."""

from __future__ import annotations

_JSON = "application/json"


def prefers(accept: str, kind: str) -> bool:
    """Return whether a client prefers a media type to JSON; False if it weighs both equally (RFC
    9110 §12.5.1).
    """
    weights = {kind: 0.0, _JSON: 0.0}
    for part in accept.split(","):
        named, *parameters = (item.strip().lower() for item in part.split(";"))
        weight = next((item[2:] for item in parameters if item.startswith("q=")), "1")
        try:
            value = float(weight)
        except ValueError:
            continue
        if named in weights:
            weights[named] = value
    return weights[kind] > weights[_JSON]
