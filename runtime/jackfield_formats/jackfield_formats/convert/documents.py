"""Reading of the documents for ``jackfield convert``: JSON, form fields and lines of settings."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from email import policy
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl

from jackfield.cli.local_files import from_yaml
from jackfield.kernel.errors import InvalidInvocation
from jackfield_formats.convert.smtp import settings_of

STDIN = "-"
MAX_BYTES = 64 * 1024 * 1024
_HINT = "Give the body of one request, as the provider's API gets it."


def read(path: str) -> bytes:
    """Read a file (``-`` = stdin).

    :raises InvalidInvocation: if it cannot be read, is empty or is too large.
    """
    shown = "stdin" if path == STDIN else f"the file '{path[:200]}'"
    try:
        if path == STDIN:
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with open(path, "rb") as file:
                content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInvocation(
            f"{shown} cannot be read: {error.strerror}", hint="Check the path and its permissions."
        ) from None
    if len(content) > MAX_BYTES:
        raise InvalidInvocation(
            f"{shown} is larger than {MAX_BYTES:,} bytes", hint="Convert it in parts."
        )
    if not content.strip():
        raise InvalidInvocation(f"{shown} is empty", hint=_HINT)
    return content


def json_document(content: bytes) -> Any:
    """Parse JSON.

    :raises InvalidInvocation: if the content is not JSON.
    """
    try:
        return json.loads(_text(content), parse_constant=_no_constant)
    except RecursionError:
        raise InvalidInvocation("the document is nested too deeply", hint=_HINT) from None
    except ValueError as error:
        raise InvalidInvocation(f"the document is not JSON: {error}", hint=_HINT) from None


def yaml_document(content: bytes) -> Any:
    """Parse one document of YAML or JSON.

    :raises InvalidInvocation: if the content is not one such document.
    """
    return from_yaml(_text(content), "the document")


def form_document(content: bytes) -> Any:
    """Parse form fields: JSON, multipart, or URL-encoded.

    :raises InvalidInvocation: if the content is not a form.
    """
    start = content.lstrip()[:2]
    if start[:1] in {b"{", b"["}:
        return json_document(content)
    found: dict[str, list[Any]] = {}
    for name, value in _multipart(content) if start == b"--" else _urlencoded(_text(content)):
        found.setdefault(name, []).append(value)
    if not found:
        raise InvalidInvocation(
            "the document has no form fields", hint="Give JSON, or a URL-encoded or multipart body."
        )
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def settings_document(content: bytes) -> Any:
    """Parse settings: JSON, a URL, or lines of ``NAME=value``.

    :raises InvalidInvocation: if it is not UTF-8, or broken JSON.
    """
    text = _text(content).strip()
    if text.startswith("{"):
        return json_document(content)
    return settings_of(text) if "\n" in text or "://" not in text.partition("=")[0] else text


def _urlencoded(text: str) -> list[tuple[str, Any]]:
    return (
        list(parse_qsl(text.strip(), keep_blank_values=True, max_num_fields=10_000))
        if "=" in text
        else []
    )


def _multipart(content: bytes) -> list[tuple[str, Any]]:
    boundary = content.lstrip().splitlines()[0][2:].decode("latin-1").strip()
    head = f'Content-Type: multipart/form-data; boundary="{boundary}"\r\n\r\n'.encode("latin-1")
    message = BytesParser(policy=policy.HTTP).parsebytes(head + content.lstrip())
    found: list[tuple[str, Any]] = []
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(payload, bytes):
            continue
        file = part.get_filename()
        if file is None:
            found.append((name, payload.decode("utf-8", "replace")))
        else:
            kind: Mapping[str, str] = (
                {"contentType": part.get_content_type()} if part.get("content-type") else {}
            )
            found.append(
                (
                    name,
                    {
                        "filename": file,
                        "content": base64.b64encode(payload).decode("ascii"),
                        **kind,
                    },
                )
            )
    return found


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInvocation(
            f"the document is not UTF-8 text (byte {error.start})", hint=_HINT
        ) from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
