"""What an HTTP server of ours answered, as tests look at it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """What was answered; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def read(cls, answer: http.client.HTTPResponse) -> Self:
        """The whole answer, once it is there."""
        return cls(
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            answer.read(),
        )

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)
