"""A connector that reads files as streams and returns files: ``courier``, for tests and
benchmarks.
"""

SOURCE = '''
"""Copies files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from jackfield.connector import Connector, Field, File, Inputs, Output, OutputFile, StreamedFile, Unavailable

connector = Connector("courier", title="Courier", version="1.0.0", description="Carries files.")


class Parcel(Inputs):
    """What to carry."""

    document: StreamedFile = Field(title="Document")
    fault: str | None = Field(None, title="Fault")
    name: str = Field("copy of it.bin", title="Name")


class Letter(Inputs):
    """What to carry by value."""

    document: File = Field(title="Document")


class Delivered(Output):
    """What was carried."""

    sha256: str = Field(title="Digest")
    size: int = Field(title="Size")
    copies: list[OutputFile] = Field(title="Copies")


def _chunks(document: StreamedFile, fault: str | None) -> Iterator[bytes]:
    with document.open() as stream:
        while chunk := stream.read(300_000):
            yield chunk
    if fault == "late":
        raise Unavailable("the other side hung up")


@connector.action("carry", effect="read", needs_connection=False, title="Carry")
def carry(parcel: Parcel) -> Delivered:
    """Read a file twice and return a copy of it."""
    digest = hashlib.sha256()
    for chunk in parcel.document:
        digest.update(chunk)
    copy = OutputFile(_chunks(parcel.document, parcel.fault), parcel.document.content_type, parcel.name)
    return Delivered(sha256=digest.hexdigest(), size=parcel.document.size, copies=[copy])


@connector.action("carryLater", effect="read", needs_connection=False, title="Carry Later")
async def carry_later(parcel: Parcel) -> Delivered:
    """Do the same in an event loop."""
    return carry(parcel)


@connector.action("weigh", effect="read", needs_connection=False, title="Weigh")
def weigh(letter: Letter) -> Delivered:
    """Take a file by value."""
    return Delivered(sha256=hashlib.sha256(letter.document.content).hexdigest(), size=len(letter.document.content), copies=[])
'''
