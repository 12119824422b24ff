"""Transfer of files of any size: up from a stored file, down into one, and from bucket to
bucket.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from mmap import ACCESS_COPY, mmap
from queue import SimpleQueue
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

from botocore.exceptions import BotoCoreError, ClientError

from jackfield.connector import (
    Call,
    Detail,
    Field,
    InvalidInput,
    JackfieldError,
    JobFailed,
    Output,
    OutputFile,
    Progress,
    Sent,
    StreamedFile,
    Unavailable,
    current_call,
    file_name,
)
from jackfield_aws.clients import AwsClients
from jackfield_aws.s3 import multipart
from jackfield_aws.s3.connector import connector, needed
from jackfield_aws.s3.fields import Described, Located, text
from jackfield_aws.s3.multipart import PARALLEL, Upload
from jackfield_aws.s3.parts import (
    COPIED,
    LEAST,
    MEBI,
    MOST,
    USUAL,
    Cut,
    Digest,
    Part,
    crc32_of,
    md5_text,
)
from jackfield_aws.virtual.calls import Body

_OCTETS = "application/octet-stream"
RANGE = 4 * MEBI
"""Size of a downloaded range, in bytes. Three ranges are in memory at once."""
_PIECE = 64 * 1024
"""Bytes of one read, few enough that the C library serves them from memory it already has. Whole
ranges, read by short-lived threads, let its heaps grow with the object's size (measured: 15 MB in
256 MB).
"""
_PAUSES = (0.1, 0.5, 2.0, 5.0)
"""Seconds before each retry of a range."""
_PLAIN = (None, "AES256")
"""Encryptions for which an entity tag is an MD5 (Amazon S3 API reference, Object)."""


class Written(Output):
    """The object as S3 has it now."""

    bucket: str = Field(alias="Bucket")
    key: str = Field(alias="Key")
    e_tag: str | None = Field(None, alias="ETag", description="The entity tag.")
    version_id: str | None = Field(
        None, alias="VersionId", description="The version, in a bucket that has versions."
    )
    checksum: str | None = Field(
        None,
        alias="ChecksumCRC32",
        description="The CRC-32 of the parts' CRC-32, and their number.",
    )
    size: int = Field(alias="Size", description="The size in bytes.")
    parts: int = Field(alias="Parts", description="The number of parts.")


class Begun(Output):
    """Upload in progress."""

    bucket: str
    key: str
    upload_id: str
    size: int
    width: int
    checksums: bool
    began: str = ""
    further: dict[str, str]

    @property
    def upload(self) -> Upload:
        """Upload of ``multipart``."""
        return Upload(
            self.bucket,
            self.key,
            self.upload_id,
            Cut(self.size, self.width),
            self.checksums,
            self.began,
            self.further,
        )

    def written(self, about: Mapping[str, Any]) -> Written:
        """Convert S3's description of the object to an output."""
        return Written(
            bucket=self.bucket,
            key=self.key,
            e_tag=about.get("ETag"),
            version_id=about.get("VersionId"),
            checksum=about.get("ChecksumCRC32"),
            size=self.size,
            parts=len(self.upload.cut),
        )


class FileBegun(Begun):
    """The upload of a stored file."""

    body: dict[str, str]
    """Reference to the file, which is stored as long as a job's handle refers to it."""


class CopyBegun(Begun):
    """The copy of an object."""

    source: str
    e_tag: str


class FileSender:
    """Sender of a file's parts. The file is read in sequence: memory holds only the parts in
    transit.
    """

    def __init__(self, s3: Any, upload: Upload, file: StreamedFile, stream: BinaryIO) -> None:
        self._s3, self._upload, self._file, self._stream = s3, upload, file, stream
        self._free: SimpleQueue[bytearray] = SimpleQueue()
        for _ in range(PARALLEL):
            self._free.put(bytearray())

    def prepared(self, part: Part) -> Callable[[], Mapping[str, Any]]:
        """Read a part; return a function that sends it."""
        content = self._free.get()
        if len(content) != part.size:
            content = bytearray(part.size)
        self._stream.seek(part.start)
        if self._stream.readinto(content) != part.size:  # type: ignore[attr-defined]  # of a buffered reader
            raise JobFailed("the file has become shorter since the upload began", sent=Sent.REFUSED)
        return lambda: self._sent(part, content)

    def _sent(self, part: Part, content: bytearray) -> Mapping[str, Any]:
        try:
            proof = (
                {"ChecksumCRC32": crc32_of(content)}
                if self._upload.checksums
                else {"ContentMD5": md5_text(content)}
            )
            answer = self._s3.upload_part(
                **self._upload.place, PartNumber=part.number, Body=content, **proof
            )
        finally:
            self._free.put(content)
        return {"ETag": answer["ETag"], **({} if "ContentMD5" in proof else proof)}

    def is_there(self, about: Mapping[str, Any]) -> bool | None:
        """Return whether an object equals the file, which is read completely; None if only the
        object's size and time can decide.
        """
        digest = Digest(self._upload.cut.width, md5=about.get("ServerSideEncryption") in _PLAIN)
        for piece in self._file:
            digest.update(piece)
        return digest.check(about)


class RangeSender:
    """Sender that lets S3 copy an object's parts."""

    def __init__(self, s3: Any, upload: Upload, source: str, e_tag: str) -> None:
        self._s3, self._upload = s3, upload
        self._given = {"CopySource": source, "CopySourceIfMatch": e_tag}

    def prepared(self, part: Part) -> Callable[[], Mapping[str, Any]]:
        """Return a function that copies a part."""
        within = {"CopySourceRange": part.range} if part.size else {}
        return lambda: self._sent(
            {**self._upload.place, **self._given, **within, "PartNumber": part.number}
        )

    def _sent(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._s3.upload_part_copy(**parameters)["CopyPartResult"]
        return {name: found[name] for name in ("ETag", "ChecksumCRC32") if found.get(name)}

    def is_there(self, _about: Mapping[str, Any]) -> None:
        """Return None: the content never passed through this machine."""


class UploadedFile(Described):
    """A file to upload, and where to."""

    body: StreamedFile = Field(
        alias="Body", title="File", description="The file: a stored one of any size, or content."
    )
    part_size: int = Field(
        USUAL,
        title="Part Size",
        schema={"minimum": LEAST, "maximum": 64 * MEBI},
        description=(
            "Bytes of a part: three are in memory at once. A file that would have more than "
            "10,000 has larger ones."
        ),
    )


@connector.action(
    "uploadFile",
    kind="job",
    effect="idempotent",
    permissions=needed("UploadFile"),
    pace_by=("awsRegion", "Bucket"),
)
class UploadFile:
    """Upload a file of any size in parts, as a job that goes on after a restart.

    The parts are sent three at a time with a checksum each. Arrived parts stay until the job has
    ended: after a restart, only the rest is sent. A job that fails or is cancelled aborts the
    upload, so that no part is left over. The object is created once, by the last request.
    """

    cancels_late = True

    def start(self, given: UploadedFile, aws: AwsClients) -> FileBegun | Written:
        """Begin the upload; without file storage, complete it in this call."""
        call, file = current_call(), given.body
        if file.id is None and call is not None and call.files is not None:
            about = call.files.store(file, file.content_type, file.name)
            file = StreamedFile.stored(str(about["file"])) or file
        s3 = _client(aws)
        kind = {} if given.content_type is not None else {"ContentType": file.content_type}
        begun = _begun(s3, given, Cut.of(file.size, given.part_size), aws, kind)
        if file.id is not None:
            return FileBegun(**begun, body={"file": file.id})
        made = FileBegun(**begun, body={})
        with multipart.aborting(s3, made.upload), file.open() as stream:
            sender, found = FileSender(s3, made.upload, file, stream), None
            while not isinstance(found, dict):
                found = multipart.advance(s3, made.upload, sender, aws)
            return made.written(found)

    def poll(self, begun: FileBegun, aws: AwsClients) -> Progress | Written:
        """Send further parts, or complete the upload."""
        s3, file = _client(aws), StreamedFile.stored(begun.body["file"])
        if file is None:
            multipart.abort(s3, begun.upload)
            raise JobFailed("the file that was being uploaded is gone", sent=Sent.REFUSED)
        with file.open() as stream:
            found = multipart.advance(
                s3, begun.upload, FileSender(s3, begun.upload, file, stream), aws
            )
        return begun.written(found) if isinstance(found, dict) else found

    def cancel(self, begun: FileBegun, aws: AwsClients) -> None:
        """Abort the upload."""
        multipart.abort(_client(aws), begun.upload)


class CopiedFile(Described):
    """An object to copy, and where to."""

    copy_source: str = Field(
        alias="CopySource",
        title="Copy Source",
        schema={"pattern": "^/?[^/]+/.+$"},
        expects="a bucket, a slash and a key",
        description=(
            "The object to copy: bucket/key, with ?versionId=… for one of its versions. The "
            "key is encoded as in a URL."
        ),
    )
    part_size: int = Field(
        COPIED,
        title="Part Size",
        schema={"minimum": LEAST, "maximum": MOST},
        description="Bytes of a part, three of which are copied at once.",
    )


@connector.action(
    "copyFile",
    kind="job",
    effect="idempotent",
    permissions=needed("CopyFile"),
    pace_by=("awsRegion", "Bucket"),
)
class CopyFile:
    """Copy an object of any size in parts within S3, as a job that goes on after a restart.

    S3 copies at most 5 GB with one request (copyObject). Media type, metadata and other properties
    that S3 stores with the content are the source's, unless they are given. A source that changes
    meanwhile ends the copy, and no part is left over.
    """

    cancels_late = True

    def start(self, given: CopiedFile, aws: AwsClients) -> CopyBegun:
        """Read the source's properties, and begin the copy."""
        s3, source = _client(aws), _source(given.copy_source)
        about = s3.head_object(**source, **multipart.shared(given))
        names = (
            "ContentType",
            "ContentEncoding",
            "ContentDisposition",
            "ContentLanguage",
            "CacheControl",
            "Metadata",
        )
        begun = _begun(
            s3,
            given,
            Cut.of(about["ContentLength"], given.part_size),
            aws,
            {one: about[one] for one in names if about.get(one)},
        )
        encoded = f"{source['Bucket']}/{quote(source['Key'])}"
        version = f"?versionId={quote(source['VersionId'])}" if "VersionId" in source else ""
        return CopyBegun(**begun, source=encoded + version, e_tag=about["ETag"])

    def poll(self, begun: CopyBegun, aws: AwsClients) -> Progress | Written:
        """Copy further parts, or complete the copy."""
        s3 = _client(aws)
        found = multipart.advance(
            s3, begun.upload, RangeSender(s3, begun.upload, begun.source, begun.e_tag), aws
        )
        return begun.written(found) if isinstance(found, dict) else found

    def cancel(self, begun: CopyBegun, aws: AwsClients) -> None:
        """Abort the copy."""
        multipart.abort(_client(aws), begun.upload)


class DownloadedFile(Located):
    """An object to download."""

    version_id: str | None = text("Version ID", "A version of the object.", alias="VersionId")


class Downloaded(Output):
    """The object as a stored file."""

    body: OutputFile = Field(alias="Body")
    e_tag: str | None = Field(None, alias="ETag")
    version_id: str | None = Field(None, alias="VersionId")
    content_type: str | None = Field(None, alias="ContentType")
    size: int = Field(alias="Size", description="The size in bytes.")
    checksum: str | None = Field(
        None, alias="ChecksumCRC32", description="The checksum that S3 has of it."
    )
    metadata: dict[str, str] | None = Field(None, alias="Metadata")


@connector.action(
    "downloadFile",
    effect="read",
    permissions=needed("DownloadFile"),
    pace_by=("awsRegion", "Bucket"),
)
def download_file(given: DownloadedFile, aws: AwsClients) -> Downloaded:
    """Download an object of any size by ranges into a stored file.

    Three ranges are requested concurrently, and each failed range is requested again. All belong to
    the object's version at the start. The content is compared with S3's checksum, or with the
    entity tag if that is a checksum.
    """
    s3 = _client(aws)
    version = {} if given.version_id is None else {"VersionId": given.version_id}
    place = {"Bucket": given.bucket, "Key": given.key, **multipart.shared(given), **version}
    about = s3.head_object(**place, ChecksumMode="ENABLED")
    kind = about.get("ContentType") or _OCTETS
    content = _ranges(s3, {**place, "IfMatch": about["ETag"]}, about, aws)
    return Downloaded(
        body=Body(
            content,
            kind,
            file_name(about.get("ContentDisposition") or "")
            or given.key.rpartition("/")[2]
            or None,
        ),
        e_tag=about["ETag"],
        version_id=about.get("VersionId"),
        content_type=about.get("ContentType"),
        size=about["ContentLength"],
        checksum=about.get("ChecksumCRC32"),
        metadata=about.get("Metadata") or None,
    )


def _ranges(
    s3: Any, place: Mapping[str, Any], about: Mapping[str, Any], aws: AwsClients
) -> Iterator[bytes]:
    """Yield the content of an object in order.

    :raises Rejected: if it does not match S3's checksum.
    """
    size, call = about["ContentLength"], current_call()
    digest = Digest(_width(s3, place, about), md5=about.get("ServerSideEncryption") in _PLAIN)
    with ExitStack() as stack:
        free = deque(
            stack.enter_context(mmap(-1, RANGE, access=ACCESS_COPY)) for _ in range(PARALLEL)
        )
        # waits for its threads before the memory is given back
        pool = stack.enter_context(ThreadPoolExecutor(PARALLEL, "s3-ranges"))
        coming: deque[tuple[mmap, Future[int]]] = deque()
        for part in Cut(size, RANGE).parts if size else ():
            room = free.popleft()
            coming.append((room, pool.submit(_range, s3, place, part, aws, call, room)))
            if not free:
                first, content = coming.popleft()
                yield from _taken(first, content, digest)
                free.append(first)
        while coming:
            yield from _taken(*coming.popleft(), digest)
    if digest.check(about) is False:
        text = (
            "the content that came has another checksum than S3 says "
            f"({about.get('ChecksumCRC32')})"
        )
        raise Unavailable(text, hint="Download it again.", sent=Sent.REFUSED)


def _taken(room: mmap, coming: Future[int], digest: Digest) -> Iterator[bytes]:
    """Yield a fetched range piece by piece."""
    size = coming.result()
    for start in range(0, size, _PIECE):
        piece = room[start : min(start + _PIECE, size)]
        digest.update(piece)
        yield piece


def _width(s3: Any, place: Mapping[str, Any], about: Mapping[str, Any]) -> int | None:
    """Return the size of an object's parts; None if it has no parts."""
    if "-" not in str(about.get("ETag", "")):
        return None
    named = {name: value for name, value in place.items() if name != "IfMatch"}
    try:
        return int(s3.head_object(**named, PartNumber=1)["ContentLength"]) or None
    except ClientError:  # not every server knows the numbers of parts
        return None


def _range(
    s3: Any, place: Mapping[str, Any], part: Part, aws: AwsClients, call: Call | None, room: mmap
) -> int:
    """Fetch one range into memory and return its size. Failures are retried here while time
    remains, since the call cannot repeat one range.
    """
    pauses = iter(_PAUSES)
    while True:
        try:
            return _fetch_part(s3, place, part, room)
        except (BotoCoreError, ClientError, JackfieldError) as error:
            found = multipart.explained(error, aws)
            pause = next(pauses, None)
            if (
                found is None
                or not found.retryable
                or pause is None
                or (call is not None and call.deadline.remaining() <= pause)
            ):
                raise
            time.sleep(pause)


def _fetch_part(s3: Any, place: Mapping[str, Any], part: Part, room: mmap) -> int:
    size = 0
    with closing(s3.get_object(**place, Range=part.range)["Body"]) as body:
        while size <= part.size and (piece := body.read(_PIECE)):
            fitting = piece[: part.size - size]
            room[size : size + len(fitting)] = fitting
            size += len(piece)
    if size != part.size:
        raise Unavailable(f"S3 sent {size:,} of {part.size:,} bytes", sent=Sent.REFUSED)
    return size


def _client(aws: AwsClients) -> Any:
    return aws.boto3_session().client("s3")


def _begun(
    s3: Any, given: Described, cut: Cut, aws: AwsClients, usual: Mapping[str, Any]
) -> dict[str, Any]:
    """Begin an upload; return the members of its handle."""
    further, checksums = multipart.shared(given), aws.s3.checksums != "whenRequired"
    named = {"Bucket": given.bucket, "Key": given.key, **further}
    sums = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "COMPOSITE"} if checksums else {}
    answer = s3.create_multipart_upload(**named, **{**usual, **given.described}, **sums)
    return {
        "bucket": given.bucket,
        "key": given.key,
        "upload_id": answer["UploadId"],
        "size": cut.size,
        "width": cut.width,
        "checksums": checksums,
        "began": multipart.began(answer),
        "further": further,
    }


def _source(given: str) -> dict[str, str]:
    """Return bucket, key and version in a source.

    :raises InvalidInput: if it names no key.
    """
    path, _, version = given.partition("?versionId=")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    if not bucket or not key:
        detail = Detail("/CopySource", "is not a bucket, a slash and a key")
        raise InvalidInput("1 input is not valid", details=[detail], hint="Nothing was sent.")
    return {"Bucket": bucket, "Key": key, **({"VersionId": unquote(version)} if version else {})}
