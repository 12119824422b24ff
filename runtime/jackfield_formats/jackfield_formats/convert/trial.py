"""Check of inputs by dry runs of the connector ``aws-ses``, which neither sign in nor send
anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from jackfield.kernel.errors import Detail

if TYPE_CHECKING:
    from jackfield import Result

_KEYS = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "for-validation-only",
    "region": "us-east-1",
}
"""Values of a connection over which converted invocations are validated; a dry run never signs in
with an access key.
"""
_CONNECTION = "trial"
_MAIL = {"to": ["a@example.com"], "sender": "a@example.com", "subject": "s", "text": "t"}
_MISSING = "picture_missing"
"""Code of the finding for a picture in the HTML without a file."""


class Trial:
    """Runtime without a database and without the machine's connections, for a ``with`` block.

    :raises UnknownConnector: if the connector is not installed.
    """

    def __init__(self) -> None:
        from jackfield import Jackfield

        connections = [{_CONNECTION: {"type": "aws/apiKeySecret", "values": _KEYS}}]
        self._jackfield = Jackfield(connections=connections, environment={}, database_url="none")
        self._jackfield.catalog.find("aws-ses")
        self._said: dict[str, str | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._jackfield.close()

    def refusal(self, name: str, value: object) -> str | None:
        """Return the reason why ``sendEmail`` refuses one input, as a predicate; None if the action
        accepts it.
        """
        key = json.dumps([name, value])
        if key not in self._said:
            faults = _faults(self._run({"inputs": {**_MAIL, name: value}}))
            self._said[key] = faults[0].message if faults else None
        return self._said[key]

    def of_mail(self, invocation: Mapping[str, Any]) -> tuple[tuple[Detail, ...], list[str]]:
        """Return the faults of an invocation, and the links of its HTML to pictures without files.
        A time to send is ignored: only queued invocations may have one.
        """
        direct = {name: value for name, value in invocation.items() if name != "notBefore"}
        inputs = invocation["inputs"]
        if "cid:" in str(inputs.get("html", "")).lower():
            direct["inputs"] = {**inputs, "preview": True}
        result = self._run(direct)
        return _faults(result), [
            row["evidence"]
            for row in (result.output or {}).get("findings", ())
            if row["code"] == _MISSING
        ]

    def of_connection(self, inline: Mapping[str, Any]) -> tuple[Detail, ...]:
        """Return the faults of a connection."""
        return _faults(self._run({"inputs": _MAIL}, inline))

    def _run(self, given: Mapping[str, Any], connection: object = _CONNECTION) -> Result:
        return self._jackfield.invoke(
            {
                "connector": "aws-ses",
                "action": "sendEmail",
                **given,
                "connection": connection,
                "dryRun": True,
            }
        )


def _faults(result: Result) -> tuple[Detail, ...]:
    """Return the faults that a Result names, or its error as one fault without a place."""
    return (
        ()
        if result.error is None
        else (*result.error.details,) or (Detail("", result.error.message),)
    )
