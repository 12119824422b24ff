"""First octets of binary file types, by which base64 given as text is recognized.

Sources: the specification of each format, and the lists of magic numbers at
https://www.garykessler.net/library/file_sigs.html and https://mimesniff.spec.whatwg.org/.
"""

import binascii
import string

from .file_names import extension

_ALPHABET = (string.ascii_letters + string.digits + "+/-_=" + string.whitespace).encode()
_URL_SAFE = str.maketrans("-_", "+/")
_HEAD = 64  # characters of base64 that hold every signature
_DISTINCT = 4  # octets of a signature that no text decodes to by chance, whatever the extension

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # APPNOTE.TXT 4.3
_OLE = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)  # [MS-CFB] 2.2
_JPEG = (b"\xff\xd8\xff",)  # ITU-T T.81
_PNG = (b"\x89PNG\r\n\x1a\n",)  # W3C PNG
_GIF = (b"GIF87a", b"GIF89a")
_TIFF = (b"II*\x00", b"MM\x00*")  # TIFF 6.0
_RIFF = (b"RIFF",)  # WebP, WAVE, AVI: the form type follows the length
# SEQUENCE of ITU-T X.690, as PKCS #7 begins (RFC 5652)
_DER = (b"0\x80", b"0\x82", b"0\x83", b"0\x84")
_EBML = (b"\x1aE\xdf\xa3",)  # RFC 8794
_GZIP = (b"\x1f\x8b",)  # RFC 1952

_BY_EXTENSION: dict[str, tuple[bytes, ...]] = {
    suffix: signatures
    for suffixes, signatures in (
        ("pdf ai", (b"%PDF",)),  # ISO 32000
        (
            (
                "zip docx docm dotx xlsx xlsm xltx pptx pptm ppsx odt ods odp odg epub jar apk "
                "kmz xps cbz pages numbers key"
            ),
            _ZIP,
        ),
        ("doc dot xls xlt ppt pps msg mpp pub", _OLE),
        ("png", _PNG),
        ("jpg jpeg jpe jfif", _JPEG),
        ("gif", _GIF),
        ("bmp", (b"BM",)),
        ("tif tiff", _TIFF),
        ("ico", (b"\x00\x00\x01\x00",)),
        ("webp wav avi", _RIFF),
        ("psd", (b"8BPS",)),
        ("gz tgz svgz", _GZIP),
        ("bz2", (b"BZh",)),
        ("xz", (b"\xfd7zXZ\x00",)),
        ("7z", (b"7z\xbc\xaf\x27\x1c",)),
        ("rar", (b"Rar!\x1a\x07",)),
        ("zst", (b"\x28\xb5\x2f\xfd",)),  # RFC 8878
        ("mp3", (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")),
        ("ogg oga ogv opus", (b"OggS",)),  # RFC 3533
        ("flac", (b"fLaC",)),  # RFC 9639
        ("webm mkv", _EBML),
        ("mpg mpeg", (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")),
        ("parquet", (b"PAR1",)),
        ("sqlite db", (b"SQLite format 3\x00",)),
        ("woff", (b"wOFF",)),
        ("woff2", (b"wOF2",)),
        ("ttf", (b"\x00\x01\x00\x00", b"true")),
        ("otf", (b"OTTO", b"\x00\x01\x00\x00")),
        ("p7m p7c p7s p7b p12 pfx", _DER),
        ("mp4 m4v m4a mov heic heif avif", ()),  # ISO BMFF: a box whose type follows its length
        ("tar bin", ()),  # without a signature of their own at the beginning
    )
    for suffix in suffixes.split()
}
_BOX = b"ftyp"  # ISO/IEC 14496-12 4.3, at octet 4
_ANY = tuple(
    sorted({mark for marks in _BY_EXTENSION.values() for mark in marks if len(mark) >= _DISTINCT})
)


def is_encoded_file(name: str, text: str) -> bool:
    """Return whether a text is the base64 of a binary file and its name has a binary file's
    extension.
    """
    own = _BY_EXTENSION.get(extension(name).lower())
    if own is None:
        return False
    head = "".join(text[: 4 * _HEAD].split())[:_HEAD].translate(_URL_SAFE)
    try:
        octets = binascii.a2b_base64(head[: len(head) // 4 * 4])
    except ValueError:
        return False
    if not octets.startswith((*own, *_ANY)) and octets[4:8] != _BOX:
        return False
    return text.isascii() and not text.encode("ascii").translate(None, _ALPHABET)
