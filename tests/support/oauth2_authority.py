"""An authorization server whose tokens carry the owner of the code, and that notes what was
exchanged and revoked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from jackfield.testing import Answer, Request


@dataclass
class Codes:
    """Answers the token endpoint, and ``/me`` with whose token asks. ``refused`` has errors by the
    codes that are refused with them.
    """

    exchanged: list[dict[str, str]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def __call__(self, _number: int, request: Request) -> Answer:
        """Answer a request."""
        if request.path == "/token":
            form = {name: value[0] for name, value in parse_qs(request.body.decode()).items()}
            self.exchanged.append(form)
            if (error := self.refused.get(form.get("code", ""))) is not None:
                return Answer({"error": error}, 400)
            owner = (
                form["code"].removesuffix("s-code")
                if "code" in form
                else form["refresh_token"].removesuffix("-refresh")
            )
            return Answer(
                {
                    "access_token": f"{owner}-token",
                    "token_type": "Bearer",
                    "refresh_token": f"{owner}-refresh",
                }
            )
        # the person is signed in there, and approves at once
        if request.path.startswith("/authorize?"):
            given = {
                name: value[0] for name, value in parse_qs(urlsplit(request.path).query).items()
            }
            back = urlencode({"state": given["state"], "code": "adas-code"})
            return Answer({}, 303, {"Location": f"{given['redirect_uri']}?{back}"})
        if request.path == "/revoke":
            self.revoked.append(parse_qs(request.body.decode())["token"][0])
            return Answer({})
        if request.path.startswith("/.well-known/"):
            return Answer({}, 404)
        bearer = next(
            value for name, value in request.headers.items() if name.lower() == "authorization"
        )
        return Answer({"sub": bearer.removeprefix("Bearer ").removesuffix("-token")})
