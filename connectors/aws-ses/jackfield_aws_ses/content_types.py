"""Media types of attachments: guessed from the file name, or given and validated (RFC 2045
§5.1).
"""

import re

from .file_names import extension

OCTETS = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"

# SES API v2, Attachment.ContentType: of Simple content and templates, not of a message that we
# encode
MAX_SIMPLE = 78
_MAX_KIND = 255  # RFC 6838 §4.2: 127 characters before the slash, and 127 after it
_MAX_LENGTH = 800  # our own limit: it fits into a line of a header (RFC 5322 §2.1.1)
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+"
_TYPE = re.compile(rf"({_WORD})[ \t]*/[ \t]*({_WORD})(?![^;, \t(])")
_PARAMETER = re.compile(
    rf";[ \t]*({_WORD})[ \t]*=[ \t]*({_WORD}|\"(?:[ !#-\[\]-~]|\\[ -~])*\")(?=[ \t]*(?:;|\Z|\())"
)
_FOLD = re.compile(r"\r?\n(?=[ \t])")
# 'pdf' or 'application/', with parameters or without
_HALF = re.compile(rf"[ \t]*+{_WORD}[ \t]*+(?:/[ \t]*+)?(?:;.*)?")
# Parameters that change how a part is read, of the registrations of text/* (RFC 2046, 3676, 5545,
# 7763, 4180, 6350, 2854), multipart and message (RFC 2046, 6522, 1847), S/MIME (RFC 8551), PGP (RFC
# 3156), audio and video (RFC 6381) and Atom, JSON and XML families.
_KEPT = frozenset(
    (
        "charset",
        "format",
        "delsp",
        "method",
        "component",
        "optinfo",
        "variant",
        "header",
        "profile",
        "version",
        "boundary",
        "type",
        "start",
        "start-info",
        "report-type",
        "protocol",
        "micalg",
        "smime-type",
        "codecs",
    )
)
_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument"

# Names from IANA's registry. The standard library's table depends on host files and the Python
# version, and lacks docx, xlsx and pptx in some versions.
_BY_EXTENSION = {
    suffix: kind
    for kind, suffixes in {
        "application/epub+zip": "epub",
        "application/gzip": "gz tgz",
        "application/json": "json",
        "application/ld+json": "jsonld",
        "application/msword": "doc dot",
        "application/pdf": "pdf",
        "application/pgp-signature": "sig asc",
        "application/pkcs7-mime": "p7m p7c",
        "application/pkcs7-signature": "p7s",
        "application/postscript": "ps eps ai",
        "application/rtf": "rtf",
        "application/vnd.apache.parquet": "parquet",
        "application/vnd.ms-excel": "xls xlt",
        "application/vnd.ms-outlook": "msg",
        "application/vnd.ms-powerpoint": "ppt pps",
        "application/vnd.rar": "rar",
        "application/x-7z-compressed": "7z",
        "application/x-bzip2": "bz2",
        "application/x-tar": "tar",
        "application/x-xz": "xz",
        "application/xhtml+xml": "xhtml",
        "application/xml": "xml xsd xsl xslt",
        "application/yaml": "yaml yml",
        "application/zip": "zip",
        "application/zstd": "zst",
        "audio/aac": "aac",
        "audio/flac": "flac",
        "audio/mp4": "m4a",
        "audio/mpeg": "mp3",
        "audio/ogg": "ogg oga opus",
        "audio/x-wav": "wav",
        "image/avif": "avif",
        "image/bmp": "bmp",
        "image/gif": "gif",
        "image/heic": "heic",
        "image/jpeg": "jpg jpeg jpe",
        "image/png": "png",
        "image/svg+xml": "svg",
        "image/tiff": "tif tiff",
        "image/vnd.microsoft.icon": "ico",
        "image/webp": "webp",
        "text/calendar": "ics",
        "text/css": "css",
        "text/csv": "csv",
        "text/html": "html htm",
        "text/markdown": "md markdown",
        "text/plain": "txt text log",
        "text/tab-separated-values": "tsv",
        "text/vcard": "vcf",
        "video/mp4": "mp4 m4v",
        "video/mpeg": "mpg mpeg",
        "video/quicktime": "mov",
        "video/webm": "webm",
        "video/x-msvideo": "avi",
        f"{_OFFICE}.presentationml.presentation": "pptx",
        f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
        f"{_OFFICE}.wordprocessingml.document": "docx",
        f"{_OPEN_DOCUMENT}.presentation": "odp",
        f"{_OPEN_DOCUMENT}.spreadsheet": "ods",
        f"{_OPEN_DOCUMENT}.text": "odt",
    }.items()
    for suffix in suffixes.split()
}


def guess_content_type(name: str, default: str = OCTETS) -> str:
    """Return the media type for a file's extension, or ``default``."""
    return _BY_EXTENSION.get(extension(name).lower(), default)


def read_content_type(given: str, name: str) -> str:
    """Return a normalized media type. An incomplete one, such as ``pdf``, is completed by the file
    name's extension. Raises ValueError as `clean_content_type` does.
    """
    return (
        guess_content_type(name)
        if _HALF.fullmatch(_FOLD.sub("", given))
        else clean_content_type(given)
    )


def clean_content_type(given: str) -> str:
    """Return a normalized media type with the parameters that matter to its reader.

    ``name`` (replaced by the file name), parameters of other programs and unreadable ones are
    dropped; if the parameters are invalid together, only the type remains. ``multipart/*`` and
    ``message/*`` become application/octet-stream: RFC 2045 §6.4 forbids base64 for them, and an
    attachment must arrive unchanged. ``*/*`` becomes application/octet-stream, too, since it is no
    type. Raises ValueError with a predicate.
    """
    trimmed = _FOLD.sub("", given).strip(" \t")
    match = _TYPE.match(trimmed)
    if not match or "\r" in trimmed or "\n" in trimmed:
        raise ValueError(
            "has a content type that is not 'type/subtype', with parameters or without"
        )
    kind = f"{match[1]}/{match[2]}".lower()
    if len(kind) > _MAX_KIND:
        raise ValueError(f"has a content type of more than {_MAX_KIND} characters")
    if kind.startswith(("multipart/", "message/")) or "*" in kind:
        return OCTETS
    found: dict[str, str] = {}
    for key, value in _PARAMETER.findall(trimmed, match.end()):
        if key.lower() in _KEPT:
            found.setdefault(key.lower(), value)
    whole = kind + "".join(f"; {key}={value}" for key, value in found.items())
    return whole if len(whole) <= _MAX_LENGTH else kind


def simple_content_type(content_type: str) -> str:
    """Return the media type as Simple content and templates accept it: shortened or, if need be,
    application/octet-stream.
    """
    kind = content_type if len(content_type) <= MAX_SIMPLE else content_type.partition(";")[0]
    return kind if len(kind) <= MAX_SIMPLE else OCTETS
