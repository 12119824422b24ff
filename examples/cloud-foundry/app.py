"""A Cloud Foundry application that sends mail through a private link to Amazon SES.

``POST /`` sends its body as a mail; ``GET /`` says that the application runs. The link and the credentials are service bindings, which
jackfield reads from ``VCAP_SERVICES``; the platform says in ``PORT`` where to listen.
"""

from __future__ import annotations

import hmac
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from jackfield import Jackfield, Result

MAX_BODY = 100_000
STATUS = {"succeeded": 200, "in_doubt": 504}


def main() -> int:
    """Serve until the platform stops the application."""
    token = os.environ.get("MAIL_TOKEN", "")
    if not token:
        sys.stderr.write("Set MAIL_TOKEN: without it, anybody could send mail (cf set-env ses-mail MAIL_TOKEN …)\n")
        return 1
    with Jackfield(connections=["$VCAP_SERVICES"], database_url="none") as jackfield:
        for problem in jackfield.connections.problems:
            sys.stderr.write(f"{problem}\n")
        server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), handler(jackfield, token))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the platform waits 10 seconds for it
        sys.stderr.write(f"listening on port {server.server_port}\n")
        try:
            server.serve_forever()
        finally:
            server.server_close()
    return 0


def handler(jackfield: Jackfield, token: str) -> type[BaseHTTPRequestHandler]:
    """Return the handler of requests."""

    class Handler(BaseHTTPRequestHandler):
        """Request handler: one mail for each authorized POST."""

        timeout = 30

        def do_GET(self) -> None:
            """Answer that the application runs."""
            self.answer(200, {"status": "up"})

        def do_POST(self) -> None:
            """Send the body as a mail: to whom and from whom, the service with the credentials says."""
            if not hmac.compare_digest(self.headers.get("Authorization", "").encode(), f"Bearer {token}".encode()):
                self.answer(401, {"error": "send 'Authorization: Bearer …' with the value of MAIL_TOKEN"})
                return
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MAX_BODY:
                self.answer(413, {"error": f"send a body of at most {MAX_BODY} bytes, with its length"})
                return
            result = send(jackfield, self.rfile.read(int(length)).decode("utf-8", "replace"), self.headers.get("X-Subject"))
            self.answer(STATUS.get(result.status, 502), result.to_json())

        def answer(self, status: int, body: object) -> None:
            """Answer with JSON."""
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def send(jackfield: Jackfield, text: str, subject: str | None) -> Result:
    """Send one mail over the only connection: sender and recipient are the defaults that the bindings give."""
    inputs = {"subject": subject or "Sent through SES over Private Link", "text": text}
    return jackfield.invoke({"connector": "aws-ses", "action": "sendEmail", "inputs": inputs})


if __name__ == "__main__":
    sys.exit(main())
