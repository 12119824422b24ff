"""The trigger ``files``: files and folders that appear, change and disappear in a folder."""

from __future__ import annotations

from jackfield.connector import Field, Inputs, Item, Listed
from jackfield_sftp.client import SftpClient
from jackfield_sftp.connector import connector
from jackfield_sftp.folders import Entry, FolderQuery, list_files


class Watched(Inputs):
    """Folder to watch."""

    path: str = Field(
        ".",
        title="Path",
        blank="absent",
        description="The folder's path; the user's folder by default.",
        examples=["inbox"],
        schema={"maxLength": 4096, "pattern": "^[^\\u0000]*$"},
    )


@connector.diff_poll(
    "files", inputs=Watched, item=Entry, every=60, types=("fileArrived", "fileChanged", "fileGone")
)
def files(watched: Watched, client: SftpClient, after: str | None) -> Listed:
    """Report files and folders that appear in a folder, change or disappear. Files that exist when
    the subscription is added are not reported. A file that is being written is reported as it
    grows, unless its sender moves it there whole.
    """
    page = list_files(FolderQuery(path=watched.path, next_token=after), client)
    return Listed([Item(one.name, one) for one in page.entries], page.next_token)
