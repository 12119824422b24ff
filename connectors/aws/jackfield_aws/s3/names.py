"""Names, summaries and effects of the actions of ``aws.s3`` that combine operations of S3, for
lists and searches.
"""

from __future__ import annotations

from collections.abc import Mapping

SERVICE = "s3"
ROWS: tuple[tuple[str, str, str], ...] = (
    (
        "UploadFile",
        "Upload a file of any size in parts, as a job that goes on after a restart.",
        "idempotent",
    ),
    ("DownloadFile", "Download an object of any size by ranges into a stored file.", "read"),
    (
        "CopyFile",
        "Copy an object of any size in parts within S3, as a job that goes on after a restart.",
        "idempotent",
    ),
    ("PresignGet", "Make a URL with which its holder may download one object for a while.", "read"),
    ("PresignPut", "Make a URL with which its holder may upload one object for a while.", "read"),
    (
        "PresignPost",
        "Make a URL and form fields with which a browser may upload one object for a while.",
        "read",
    ),
)
"""Rows of name (in the form of an operation), summary and effect."""
PRESIGNED = frozenset(name for name, _, _ in ROWS if name.startswith("Presign"))
"""Actions that hand out credentials."""
ALLOWED_WITH: Mapping[str, tuple[str, ...]] = {
    "PresignGet": ("getObject",),
    "PresignPut": ("putObject",),
    "PresignPost": ("putObject",),
}
"""Actions that a caller must also be allowed to call, by presigning action."""
_WRITING = (
    "s3:PutObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:GetObject",
)
PERMISSIONS: Mapping[tuple[str, str], tuple[str, ...]] = {
    (SERVICE, "UploadFile"): _WRITING,
    (SERVICE, "CopyFile"): _WRITING,
    (SERVICE, "DownloadFile"): ("s3:GetObject",),
    (SERVICE, "PresignGet"): ("s3:GetObject",),
    (SERVICE, "PresignPut"): ("s3:PutObject",),
    (SERVICE, "PresignPost"): ("s3:PutObject",),
}
"""IAM actions that these operations need."""
KEYWORDS: Mapping[tuple[str, str], str] = {
    (SERVICE, "UploadFile"): "large file multipart upload transfer",
    (SERVICE, "DownloadFile"): "large file ranged download transfer",
    (SERVICE, "CopyFile"): "large object multipart copy move",
    (SERVICE, "PresignGet"): "presigned download link share signed url",
    (SERVICE, "PresignPut"): "presigned upload link signed url",
    (SERVICE, "PresignPost"): "presigned upload form browser policy",
}
"""Search words of these operations."""


def own_rows(service: str) -> tuple[tuple[str, str, str], ...]:
    """Return the rows of a service's combined actions."""
    return ROWS if service == SERVICE else ()
