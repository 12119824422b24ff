"""Counts, ports, rates and durations: each command reads them with the same parser, and refuses
what makes no sense.
"""

from __future__ import annotations

import argparse

import pytest

from jackfield.cli.quantities import count, duration, port, rate
from shell import Shell

pytest_plugins = ["shell_fixture"]

NONSENSE = ("nan", "inf", "-1", "1e400", "", "1_0", "٣")
COUNTS = (
    ("serve", "--workers"),
    ("serve", "--queue-workers"),
    ("worker", "--concurrency"),
    ("invoke", "--concurrency"),
)
PORTS = (("serve", "--port"), ("dapr", "--http-port"), ("dapr", "--grpc-port"))
DURATIONS = (
    ("serve", "--stop-within"),
    ("worker", "--stop-within"),
    ("mcp", "--grace"),
    ("dapr", "--grace"),
    ("invoke", "--timeout"),
)


@pytest.mark.parametrize(("command", "option"), [*COUNTS, *PORTS, *DURATIONS, ("serve", "--rate")])
def test_m41_l36_nonsense_is_refused_everywhere(shell: Shell, command: str, option: str) -> None:
    """M41, B7, L36: a quantity that is none is a usage error of every command that takes one, and
    nothing starts.
    """
    for text in NONSENSE:
        answer = shell.run(command, f"{option}={text}")
        assert answer.code == 2, text
        assert f"{option}: must be a " in answer.json["error"]["message"], text


@pytest.mark.parametrize(
    ("command", "option"),
    [("serve", "--workers"), ("worker", "--concurrency"), ("invoke", "--concurrency")],
)
def test_b7_nobody_works_where_zero_work(shell: Shell, command: str, option: str) -> None:
    """B7: a command that could never take anything does not start."""
    assert (
        "must be a whole number from 1 to"
        in shell.run(command, option, "0").json["error"]["message"]
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        ("5s", 5.0),
        ("PT15S", 15.0),
        ("P1D", 86400.0),
        ("PT1H30M", 5400.0),
        ("0.25h", 900.0),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("500ms", 0.5),
        (".5", 0.5),
        ("0", 0.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """A duration is a number of seconds, or has a unit."""
    assert duration(86400.0)(text) == seconds


@pytest.mark.parametrize(
    "text", ["P", "PT", "P1M", "P1Y", "5 s", "1h30m", "P-1D", "PT1S1H", "1e400", "x"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Months and years have no fixed length, and one number has one unit."""
    with pytest.raises(argparse.ArgumentTypeError, match="must be a duration"):
        duration(86400.0)(text)


def test_limits() -> None:
    """Both ends of a range are in it, and what is beyond is refused."""
    assert (port("0"), port("65535"), rate("0"), rate("2.5"), count(1, 3)("3")) == (
        0,
        65535,
        0.0,
        2.5,
        3,
    )
    for parse, text in (
        (port, "65536"),
        (duration(900.0), "16m"),
        (duration(900.0, zero=False), "0"),
        (count(1, 3), "4"),
        (rate, "5s"),
    ):
        with pytest.raises(argparse.ArgumentTypeError, match=f"not '{text}'"):
            parse(text)
