"""How long AWS's services remember the tokens of requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jackfield_aws.virtual import models
from jackfield_aws.virtual.kept_keys import KEPT
from jackfield_aws.virtual.operations import described

WORDS = {"one": 1, "two": 2, "four": 4, "five": 5, "eight": 8, "ten": 10, "fifteen": 15}
UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
TIME = re.compile(rf"\b(\d+|{'|'.join(WORDS)})[ -]({'|'.join(UNITS)})s?\b")


def _keyed() -> Iterator[tuple[str, Any, str]]:
    """Yield each operation with a token, and what its model says of both."""
    for service in models.services():
        for name in models.operations(service):
            operation = models.service_model(service).operation_model(name)
            for token in operation.idempotent_members:
                about = operation.input_shape.members[token].documentation or ""
                yield service, operation, f"{about} . {operation.documentation or ''}"


def _seconds(text: str) -> list[int]:
    plain = re.sub(r"<[^>]+>", " ", text)
    told = [one for one in re.split(r"(?<=[.!])\s", plain) if re.search(r"(?i)token|idempot", one)]
    return [
        (WORDS[number] if number in WORDS else int(number)) * UNITS[unit]
        for number, unit in TIME.findall(" ".join(told))
    ]


def test_the_table_says_what_the_models_say() -> None:
    """Each operation whose model names a time for its token has the shortest of them."""
    told = {
        f"{service}.{operation.name}": min(seconds)
        for service, operation, text in _keyed()
        if (seconds := _seconds(text))
    }
    assert told == KEPT


def test_an_action_declares_the_time_of_its_token() -> None:
    """A model's sentence becomes ``keyKept``; without one, the manifest says nothing."""
    assert described("dynamodb", "TransactWriteItems").to_json()["keyKept"] == 600
    assert described("appflow", "CreateFlow").to_json()["keyKept"] == 28800
    assert "keyKept" not in described("ec2", "RunInstances").to_json()
