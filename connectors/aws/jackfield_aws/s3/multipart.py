"""Object made of parts: sending of the missing parts by each poll, completion, and removal.

S3 stores the state under the upload's ID: the next poll, in any process, lists the parts and sends
the missing ones. A part that is sent again is replaced. The last request creates the object, and
its answer is conclusive or it leaves evidence. After a lost answer the upload is gone and the
object exists, so it is never created twice.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from email.utils import parsedate_to_datetime
from threading import Semaphore
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from jackfield.connector import JackfieldError, JobFailed, Progress, Sent, current_call
from jackfield.kernel.clock import monotonic
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.s3.parts import Cut, Part, combined_crc32
from jackfield_aws.virtual.errors import SERVICE_ERRORS

PARALLEL = 3
"""Maximum number of parts sent concurrently. Each uses its size in memory."""
_PAUSE = 0.1
"""Seconds to the next poll of an unfinished upload."""
_LONGEST = 20.0
"""Seconds after which a poll begins no further part, so that progress is reported and a cancelled
upload ends.
"""
_TRIES = 3
_GONE = "NoSuchUpload"
_CANNOT = ("MethodNotAllowed", "NotImplemented")
"""Codes of servers that lack an operation (Amazon S3 API reference, error responses)."""
_ABSENT = ("NoSuchKey", "404", "NotFound")
_NAMED = ("ExpectedBucketOwner", "RequestPayer")


@dataclass(frozen=True, slots=True)
class Upload:
    """Upload in progress: its destination, its ID, the sizes of its parts, and whether S3 stores
    checksums of its parts. Its start is a time of the server's clock (RFC 9110 §5.6.7).
    """

    bucket: str
    key: str
    id: str
    cut: Cut
    checksums: bool
    began: str = ""
    further: Mapping[str, str] = {}
    """Parameters of all requests of the upload."""

    @property
    def place(self) -> dict[str, str]:
        """Parameters that name the upload."""
        return {"Bucket": self.bucket, "Key": self.key, "UploadId": self.id, **self.further}


class Sender(Protocol):
    """Sender of an upload's parts."""

    def prepared(self, part: Part) -> Callable[[], Mapping[str, Any]]:
        """Prepare a part in the action's thread; return a function for another thread, which sends
        the part and returns its entity tag and checksum.
        """

    def is_there(self, about: Mapping[str, Any]) -> bool | None:
        """Return whether an object, as HeadObject describes it, equals the sent content; None if
        only its size and time can decide.
        """


def began(answer: Mapping[str, Any]) -> str:
    """Return the server's date in a response."""
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))


def explained(error: Exception, client: Any) -> JackfieldError | None:
    """Return the error for an exception of S3's client; None if it is unknown."""
    return SERVICE_ERRORS(error, client)


def advance(s3: Any, upload: Upload, sender: Sender, aws: Any) -> Progress | dict[str, Any]:
    """Send missing parts for some seconds, and complete the upload once all have arrived. Return
    its progress, or S3's description of the object.

    :raises JobFailed: if S3 refuses permanently; nothing of the upload is left.
    :raises Exception: if the next poll may succeed; arrived parts stay until then.
    """
    try:
        known = _there(s3, upload)
        there = known or {}
        missing = [
            part for part in upload.cut.parts if there.get(part.number, {}).get("Size") != part.size
        ]
        if missing and not _send(sender, missing, there, whole=known is None):
            done = sum(part.size for part in upload.cut.parts if part.number in there)
            return Progress(
                done / max(1, upload.cut.size),
                f"{len(there):,} of {len(upload.cut):,} parts",
                _PAUSE,
            )
        return _complete(s3, upload, there)
    except JobFailed as error:
        raise _given_up(s3, upload, error) from None
    except ClientError as error:
        if _code(error) == _GONE:
            return _evidence(s3, upload, sender)
        found = explained(error, aws)
        if (
            found is None
            or found.sent is not Sent.REFUSED
            or found.retryable
            or found.stale_credentials
        ):
            raise
        raise _given_up(s3, upload, found) from None


def _there(s3: Any, upload: Upload) -> dict[int, dict[str, Any]] | None:
    """Return S3's parts by number; None for a server that cannot list them, to which each poll
    sends all parts.
    """
    try:
        return dict(_list_parts(s3, upload))
    except ClientError as error:
        if _code(error) in _CANNOT:
            return None
        raise


def _list_parts(s3: Any, upload: Upload) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield S3's parts; stop if S3 repeats a page, which would loop endlessly."""
    marker = 0
    while True:
        page = s3.list_parts(**upload.place, **({"PartNumberMarker": marker} if marker else {}))
        for part in page.get("Parts", ()):
            yield part["PartNumber"], part
        following = int(page.get("NextPartNumberMarker") or 0)
        if not page.get("IsTruncated") or following <= marker:
            return
        marker = following


def _send(
    sender: Sender, missing: list[Part], there: dict[int, dict[str, Any]], *, whole: bool
) -> bool:
    """Send parts, several concurrently, and record arrived ones in ``there``. Return whether all
    arrived within this poll's time or, with ``whole``, within the call's time.
    """
    call, slots = current_call(), Semaphore(PARALLEL)
    until = (
        math.inf
        if whole
        else monotonic()
        + (_LONGEST if call is None else min(_LONGEST, call.deadline.remaining() / 2))
    )
    waiting: list[tuple[Part, Future[Mapping[str, Any]]]] = []
    with ThreadPoolExecutor(PARALLEL, "s3-parts") as pool:
        for part in missing:
            slots.acquire()
            failed = any(future.done() and future.exception() is not None for _, future in waiting)
            if (
                failed
                or (waiting and monotonic() >= until)
                or (call is not None and call.cancelled.is_set())
            ):
                break
            future = pool.submit(sender.prepared(part))
            future.add_done_callback(lambda _done: slots.release())
            waiting.append((part, future))
            if call is not None:
                call.deadline.move_on()
    wait([future for _, future in waiting])
    for part, future in waiting:
        if future.exception() is None:
            there[part.number] = {"Size": part.size, **future.result()}
    for _, future in waiting:
        future.result()
    return len(waiting) == len(missing)


def _complete(s3: Any, upload: Upload, there: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    names = ("ETag", "ChecksumCRC32") if upload.checksums else ("ETag",)
    parts = [
        {
            "PartNumber": part.number,
            **{name: there[part.number][name] for name in names if there[part.number].get(name)},
        }
        for part in upload.cut.parts
    ]
    answer: dict[str, Any] = s3.complete_multipart_upload(
        **upload.place, MultipartUpload={"Parts": parts}
    )
    sums = [part.get("ChecksumCRC32") for part in parts]
    if not all(sums):
        return answer
    ours, said = combined_crc32(map(str, sums)), str(answer.get("ChecksumCRC32") or "")
    if "-" in said and said != ours:
        text = f"S3 has put the object together with the checksum {said}, and its parts have {ours}"
        raise JobFailed(text, hint="Delete the object, and upload it again.", sent=Sent.REFUSED)
    return {**answer, "ChecksumCRC32": ours}


def _evidence(s3: Any, upload: Upload, sender: Sender) -> dict[str, Any]:
    """Return S3's description of the object whose upload no longer exists: an earlier request
    completed it, and its answer was lost.

    :raises JobFailed: if the object does not exist, or is another one.
    """
    gone = (
        "the upload is gone, and so is what it had sent: somebody has aborted it, or a "
        "lifecycle rule of the bucket"
    )
    try:
        about: dict[str, Any] = s3.head_object(
            Bucket=upload.bucket, Key=upload.key, ChecksumMode="ENABLED", **upload.further
        )
    except ClientError as error:
        if _code(error) in _ABSENT:
            raise JobFailed(gone, sent=Sent.REFUSED) from None
        raise
    if about.get("ContentLength") == upload.cut.size and _is_newer(about, upload):
        verdict = sender.is_there(about)
        if verdict or (
            verdict is None
            and str(about.get("ETag", "")).strip('"').endswith(f"-{len(upload.cut)}")
        ):
            return about
    raise JobFailed(f"{gone}; the object with its key is another one", sent=Sent.REFUSED)


def _is_newer(about: Mapping[str, Any], upload: Upload) -> bool:
    modified = about.get("LastModified")
    try:
        start = parsedate_to_datetime(upload.began)
    except ValueError:
        return True
    return not isinstance(modified, datetime) or modified >= start.replace(tzinfo=modified.tzinfo)


def abort(s3: Any, upload: Upload) -> None:
    """Remove an upload's parts. A part in transit may arrive later, so the removal is repeated
    until S3 lists none (Amazon S3 API reference, AbortMultipartUpload).

    :raises Exception: if S3 does not answer, or refuses.
    """
    for _ in range(_TRIES):
        try:
            s3.abort_multipart_upload(**upload.place)
            if not _there(s3, upload):
                return
        except ClientError as error:
            if _code(error) == _GONE:
                return
            raise


def _given_up(s3: Any, upload: Upload, reason: JackfieldError) -> JobFailed:
    """Abort an upload that cannot succeed; return the error that ends the job.

    :raises Exception: if S3 does not answer: the next poll aborts it.
    """
    left, hint = "", reason.hint
    try:
        abort(s3, upload)
    except ClientError as error:
        if not 400 <= error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) < 500:
            raise
        left = (
            f"; what it had sent could not be removed ({_code(error)}), and costs storage: "
            f"its upload ID is {upload.id}"
        )
    return JobFailed(
        f"{reason.message}{left}",
        details=reason.details,
        hint=hint,
        provider=reason.provider,
        sent=Sent.REFUSED,
    )


@contextlib.contextmanager
def aborting(s3: Any, upload: Upload) -> Iterator[None]:
    """Abort an upload if the block raises."""
    is_done = False
    try:
        yield
        is_done = True
    finally:
        if not is_done:
            with contextlib.suppress(ClientError, BotoCoreError, JackfieldError):
                abort(s3, upload)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def shared(inputs: Any) -> dict[str, str]:
    """Return the inputs shared by all requests of an upload."""
    found = {
        name: getattr(inputs, field)
        for name, field in zip(_NAMED, ("expected_bucket_owner", "request_payer"), strict=True)
    }
    return {name: value for name, value in found.items() if value is not None}
