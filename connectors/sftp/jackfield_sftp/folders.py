"""Actions for folders."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from typing import Any, Literal

from jackfield.connector import Field, Inputs, Output, Pagination
from jackfield_sftp.client import SftpClient
from jackfield_sftp.connector import UNRECORDED, connector
from jackfield_sftp.fields import checked, path_field

_PAGE = 500
Kind = Literal["file", "folder", "link", "other"]


class FolderQuery(Inputs):
    """Part of a folder's list."""

    path: str = Field(
        ".",
        title="Path",
        blank="absent",
        description="The folder's path; the user's folder by default.",
        examples=["inbox"],
        schema={"maxLength": 4096, "pattern": "^[^\\u0000]*$"},
    )
    next_token: str | None = Field(
        None,
        title="Next Token",
        description="Token of the page to fetch: the last name of the page before it.",
        blank="absent",
        schema={"maxLength": 4096},
    )
    fetch_all: bool = Field(
        False, title="Fetch All", description="True to fetch every page.", blank="absent"
    )


class Entry(Output):
    """File or folder."""

    name: str = Field(title="Name", description="Its name.")
    kind: Kind = Field(title="Kind", description="file, folder, link or other.")
    size: int = Field(title="Size", description="Its bytes.")
    modified: str | None = Field(
        None, title="Modified", description="When it was changed last, in UTC."
    )


class Entries(Output):
    """Page of a folder's list."""

    entries: tuple[Entry, ...] = Field(title="Entries", description="Files and folders, by name.")
    next_token: str | None = Field(
        None, title="Next Token", description="Token of the next page, if there is one."
    )


class FolderPath(Inputs):
    """Folder to create."""

    path: str = path_field()


class Created(Output):
    """Outcome of a creation."""

    created: bool = Field(title="Created", description="True: the folder is there.")


@connector.action(
    "listFiles",
    effect="read",
    pagination=Pagination("nextToken", "nextToken", "entries", all_input="fetchAll"),
    examples=[
        (
            "The inbox",
            {"path": "inbox", "fetchAll": True},
            {
                "entries": [
                    {
                        "name": "orders.csv",
                        "kind": "file",
                        "size": 17,
                        "modified": "2026-11-27T10:00:00Z",
                    }
                ]
            },
        )
    ],
)
def list_files(query: FolderQuery, client: SftpClient) -> Entries:
    """List the files and folders of a folder, by name."""
    path = checked(query.path or ".", "/path")
    found = sorted(
        client.read("opendir", lambda server: server.listdir_attr(path)),
        key=lambda one: str(one.filename),
    )
    rest = [one for one in found if not query.next_token or one.filename > query.next_token]
    page = tuple(_entry(one) for one in rest[:_PAGE])
    return Entries(entries=page, next_token=page[-1].name if len(rest) > _PAGE else None)


def _entry(told: Any) -> Entry:
    modified = (
        None
        if told.st_mtime is None
        else datetime.fromtimestamp(told.st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    return Entry(
        name=told.filename, kind=_kind(told.st_mode or 0), size=told.st_size or 0, modified=modified
    )


def _kind(mode: int) -> Kind:
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISLNK(mode):
        return "link"
    return "file" if stat.S_ISREG(mode) else "other"


@connector.action(
    "createFolder",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[("A folder for orders", {"path": "done"}, {"created": True})],
)
def create_folder(asked: FolderPath, client: SftpClient) -> Created:
    """Create a folder in an existing one."""
    path = checked(asked.path, "/path")
    client.change("mkdir", lambda server: server.mkdir(path))
    return Created(created=True)
