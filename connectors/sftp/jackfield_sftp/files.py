"""Actions for files."""

from __future__ import annotations

import io
import mimetypes
import posixpath

from jackfield.connector import (
    Detail,
    Field,
    Inputs,
    InvalidInput,
    Output,
    OutputFile,
    StreamedFile,
)
from jackfield.connector.binary import Encoding, decoded, encoded, encoding_field
from jackfield_sftp.client import MOST_BYTES, SftpClient
from jackfield_sftp.connector import UNRECORDED, connector
from jackfield_sftp.fields import checked, path_field

_LONGEST = MOST_BYTES * 4 // 3 + 4
"""Maximum length of a file in base64, in characters."""
_STORED = {
    "file": "01a2",
    "size": 13,
    "contentType": "text/csv",
    "expiresAt": "2031-01-31T12:00:00Z",
    "name": "orders.csv",
}


class FilePath(Inputs):
    """File to use."""

    path: str = path_field()


class Content(Output):
    """Content of a file."""

    content: str = Field(title="Content", description="What is in the file.")
    encoding: Encoding = Field(
        title="Encoding", description="'text', or 'base64' if the content is no UTF-8."
    )


class NewFile(Inputs):
    """File to write."""

    path: str = path_field()
    content: str = Field(
        title="Content",
        description="What is to be in the file.",
        multiline=True,
        schema={"maxLength": _LONGEST},
    )
    encoding: Encoding = encoding_field()


class Upload(Inputs):
    """File to send."""

    path: str = path_field()
    file: StreamedFile = Field(
        title="File", description="The file: a stored one of any size, or content."
    )


class Download(Output):
    """File that was fetched."""

    file: OutputFile = Field(title="File", description="The file, stored here.")


class Written(Output):
    """File that was written."""

    size: int = Field(title="Size", description="Its bytes.")


class Move(Inputs):
    """File to move."""

    path: str = path_field()
    new_path: str = path_field("New Path", "The new path. Nothing may be there.")


class Moved(Output):
    """Outcome of a move."""

    moved: bool = Field(title="Moved", description="True: the file has the new path.")


class Deleted(Output):
    """Outcome of a deletion."""

    deleted: bool = Field(title="Deleted", description="True: the file is gone.")


@connector.action(
    "readFile",
    effect="read",
    examples=[
        (
            "Read orders",
            {"path": "inbox/orders.csv"},
            {"content": "id;total\n7;19.90\n", "encoding": "text"},
        )
    ],
    keywords=("download", "get a file"),
)
def read_file(asked: FilePath, client: SftpClient) -> Content:
    """Read a file of at most 8 MiB."""
    (content,), encoding = decoded([client.content(checked(asked.path, "/path"))])
    return Content(content=content or "", encoding=encoding)


@connector.action(
    "writeFile",
    effect="idempotent",
    examples=[
        (
            "Send orders",
            {"path": "outbox/orders.csv", "content": "id;total\n7;19.90\n"},
            {"size": 17},
        )
    ],
    keywords=("upload", "put a file"),
)
def write_file(new: NewFile, client: SftpClient) -> Written:
    """Write a file of at most 8 MiB, replacing an existing one. It appears whole: it is written
    under another name in its folder and moved to its place.
    """
    content = encoded(new.content, new.encoding, "/content")
    if len(content) > MOST_BYTES:
        raise InvalidInput(
            "the file is too long",
            details=[Detail("/content", f"has more than {MOST_BYTES:,} bytes")],
        )
    return Written(size=client.replace(checked(new.path, "/path"), io.BytesIO(content)))


@connector.action(
    "downloadFile",
    effect="read",
    examples=[("Fetch orders", {"path": "inbox/orders.csv"}, {"file": _STORED})],
    keywords=("get a large file",),
)
def download_file(asked: FilePath, client: SftpClient) -> Download:
    """Fetch a file of any size, and store it."""
    path = checked(asked.path, "/path")
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Download(file=OutputFile(client.pieces(path), kind, posixpath.basename(path)))


@connector.action(
    "uploadFile",
    effect="idempotent",
    examples=[
        ("Send orders", {"path": "outbox/orders.csv", "file": "id;total\n7;19.90\n"}, {"size": 17})
    ],
    keywords=("put a large file",),
)
def upload_file(upload: Upload, client: SftpClient) -> Written:
    """Send a file of any size, replacing an existing one. It appears whole: it is written under
    another name in its folder and moved to its place.
    """
    path = checked(upload.path, "/path")
    with upload.file.open() as source:
        return Written(size=client.replace(path, source))


@connector.action(
    "moveFile",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[
        (
            "Put orders aside",
            {"path": "inbox/orders.csv", "newPath": "done/orders.csv"},
            {"moved": True},
        )
    ],
    keywords=("rename a file",),
)
def move_file(move: Move, client: SftpClient) -> Moved:
    """Move or rename a file or folder. An existing file or folder at the new path is not
    replaced.
    """
    old, new = checked(move.path, "/path"), checked(move.new_path, "/newPath")
    client.change("rename", lambda server: server.rename(old, new))
    return Moved(moved=True)


@connector.action(
    "deleteFile",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[("Delete orders", {"path": "inbox/orders.csv"}, {"deleted": True})],
)
def delete_file(asked: FilePath, client: SftpClient) -> Deleted:
    """Delete a file."""
    path = checked(asked.path, "/path")
    client.change("remove", lambda server: server.remove(path))
    return Deleted(deleted=True)
