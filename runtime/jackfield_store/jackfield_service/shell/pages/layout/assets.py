"""Static files of the console: scripts, style sheets and images, all from this package, none from a
CDN.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jackfield_service.shell.requests.json_response import tags_of
from jackfield_service.shell.requests.problem import Problem

_FOLDER = Path(__file__).parents[1] / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
FORM_SCRIPTS = ("vendor/jsoneditor-2.17.2.js", "editors.js", "form.js")
"""Scripts of a page with a form that is made from a schema."""
_IMMUTABLE = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    digest: str
    media_type: str


@cache
def _assets() -> dict[str, _Asset]:
    """Load all files, keyed by their path below ``static``; requests can reach nothing else."""
    found = {}
    for path in sorted(_FOLDER.rglob("*")):
        media_type = _TYPES.get(path.suffix)
        if media_type is not None and path.is_file():
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:16]
            found[path.relative_to(_FOLDER).as_posix()] = _Asset(content, digest, media_type)
    return found


@cache
def asset(name: str) -> str:
    """Return the URL of a file; it contains a digest of the content, so it can be cached for
    ever.
    """
    return f"/assets/{_assets()[name].digest}/{name}"


def content_of(name: str) -> bytes:
    """Return the content of a file."""
    return _assets()[name].content


def assets_route() -> Route:
    """Return the route of the files, which needs no session."""
    return Route("/assets/{digest}/{name:path}", _serve, methods=["GET"])


async def _serve(request: Request) -> Response:
    found = _assets().get(request.path_params["name"])
    if found is None:
        raise Problem(404, "file not found")
    current = request.path_params["digest"] == found.digest
    headers = {"Cache-Control": _IMMUTABLE if current else "no-cache", "ETag": f'"{found.digest}"'}
    if headers["ETag"] in tags_of(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers=headers, media_type=found.media_type)
