"""File names of attachments: cleaned, checked, and encoded in part headers (RFC 2183, RFC 2231)."""

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import quote

_MAX_BYTES = 255  # SES API v2, Attachment.FileName; most file systems too
_MAX_EXTENSION = 32
_MAX_SECTION = 54  # of RFC 2231 percent-encoding in one line

# Controls, line separators, lone surrogates, and marks that reorder displayed text ("gpj.exe" for
# "exe.jpg").
_UNWANTED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_SIMPLE = re.compile(r"[!-~](?:[ -~]*[!-~])?")

# https://docs.aws.amazon.com/ses/latest/dg/mime-types.html
_REFUSED_TEXT = """
ade adp app asp bas bat cer chm cmd com cpl crt csh der exe fxp gadget hlp hta inf ins isp its js jse ksh lib lnk
mad maf mag mam maq mar mas mat mau mav maw mda mdb mde mdt mdw mdz msc msh msh1 msh2 mshxml msh1xml msh2xml msi
msp mst ops pcd pif plg prf prg reg scf scr sct shb shs sys ps1 ps1xml ps2 ps2xml psc1 psc2 tmp url vb vbe vbs vps
vsmacros vss vst vsw vxd ws wsc wsf wsh xnk
"""
_REFUSED = frozenset(_REFUSED_TEXT.split())


def clean_file_name(name: str) -> str:
    """Return the last part of a path without control and text-direction characters, at most 255
    octets of UTF-8.

    Truncation keeps the extension; trailing blanks and dots are removed, as Windows would drop
    them; an empty result becomes ``attachment``.
    """
    last = re.split(r"[/\\]", _UNWANTED.sub("", name))[-1].strip().rstrip(". ")
    if len(last.encode()) > _MAX_BYTES:
        suffix = extension(last)
        suffix = f".{suffix}" if suffix and len(suffix.encode()) <= _MAX_EXTENSION else ""
        stem = last[: len(last) - len(suffix)].encode()[: _MAX_BYTES - len(suffix.encode())]
        last = stem.decode(errors="ignore").rstrip(". ") + suffix
    return last or "attachment"


def extension(name: str) -> str:
    """Return the text after the last dot, unchanged; an empty string if there is no extension."""
    stem, dot, suffix = name.rpartition(".")
    return suffix if dot and stem else ""


def is_refused(name: str) -> bool:
    """Return whether Amazon SES refuses mail with a file of this extension."""
    return name.rpartition(".")[2].lower() in _REFUSED and "." in name


def ascii_file_name(name: str) -> str:
    """Return a cleaned file name in ASCII without quotes, for receivers without RFC 2231
    support.
    """
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        stem, suffix = name, ""
    plain = f"{_ascii(stem) or 'attachment'}{dot}{_ascii(suffix)}"
    return plain if len(plain) <= _MAX_BYTES else plain[-_MAX_BYTES:]


def disposition_words(name: str, kind: str = "attachment") -> tuple[str, ...]:
    """Return the words of a ``Content-Disposition`` for a cleaned file name; a header may be folded
    between them.
    """
    # Encoded words are not allowed inside quotes, but some receivers decode them there.
    if _SIMPLE.fullmatch(name) and "=?" not in name and "  " not in name:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return (f"{kind};", f'filename="{escaped}"')
    sections = list(_sections(name))
    if len(sections) == 1:
        return (f"{kind};", f"filename*=UTF-8''{sections[0]}")
    words = [f"filename*{index}*={section};" for index, section in enumerate(sections)]
    words[0] = f"filename*0*=UTF-8''{sections[0]};"
    return (f"{kind};", *words[:-1], words[-1].removesuffix(";"))


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    stripped = "".join(character for character in plain if not unicodedata.combining(character))
    return (
        re.sub(r"[^A-Za-z0-9 ._()+,@#-]|(?<= ) ", "_", stripped)
        if re.search("[A-Za-z0-9]", stripped)
        else ""
    )


def _sections(name: str) -> Iterator[str]:
    """Yield the percent-encoded name in sections of whole characters, since some receivers decode
    each section alone.
    """
    section = ""
    for character in name:
        encoded = quote(character, safe="")
        if len(section) + len(encoded) > _MAX_SECTION:
            yield section
            section = ""
        section += encoded
    yield section
