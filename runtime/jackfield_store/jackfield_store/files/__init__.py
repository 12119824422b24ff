"""Stored files: content in a folder or in S3, encrypted; rows about it in the database. The package
is below the surfaces, so that workers and the library can use it, too.
"""

from typing import TYPE_CHECKING

from jackfield.kernel.exports import exports

if TYPE_CHECKING:
    from jackfield_store.files.sealing import SealedReader, buffered
    from jackfield_store.files.store import FileLimits, Files

__all__ = ["FileLimits", "Files", "SealedReader", "buffered"]

if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".sealing": "SealedReader buffered",
            ".store": "FileLimits Files",
        },
    )
