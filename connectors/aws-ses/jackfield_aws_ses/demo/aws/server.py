"""HTTP server of the account on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from jackfield_aws_ses.demo.aws import ses, sts
from jackfield_aws_ses.demo.aws.access import Caller, authenticate
from jackfield_aws_ses.demo.aws.call import Call, read_call
from jackfield_aws_ses.demo.aws.exchange import Answer, HttpRequest
from jackfield_aws_ses.demo.aws.ledger import Ledger
from jackfield_aws_ses.demo.aws.query import result_xml
from jackfield_aws_ses.demo.aws.refusals import Refusal, misshapen, throttled

_OK = 200
_QUERY_OPERATIONS: Mapping[str, Mapping[str, Callable[[Ledger, Call, Caller], str]]] = {
    "ses": ses.QUERY_OPERATIONS,
    "sts": sts.QUERY_OPERATIONS,
}


def answer(ledger: Ledger, call: Call) -> Answer:
    """Answer a call; refusals are answers too."""
    try:
        caller = authenticate(ledger, call)
        if ledger.is_too_fast(call.operation):
            raise throttled()
        return ses.answer_v2(ledger, call, caller) if call.service == "sesv2" else _query(ledger, call, caller)
    except Refusal as refusal:
        return refusal.answer(call.service, call.request_id)
    except (AttributeError, KeyError, TypeError):
        # Members of the wrong JSON type: operations rely on the types of the service's model.
        return misshapen().answer(call.service, call.request_id)


def _query(ledger: Ledger, call: Call, caller: Caller) -> Answer:
    operation = _QUERY_OPERATIONS[call.service].get(call.operation)
    if operation is None:
        raise Refusal("InvalidAction", f"Could not find operation {call.operation}")
    body = result_xml(call.service, call.operation, operation(ledger, call, caller), call.request_id)
    return Answer(_OK, body, "text/xml", (("x-amzn-RequestId", call.request_id),))


_LOOPBACK = "127.0.0.1"
_POLL = 0.02
"""Seconds between the server's checks for a stop."""


@contextmanager
def serving(ledger: Ledger, on_answer: Callable[[Call, Answer], object]) -> Iterator[str]:
    """Serve an account on a free port and yield its URL. ``on_answer`` is called with each answer before the caller receives it."""

    class Handler(BaseHTTPRequestHandler):
        """Handler of one connection's requests."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            """Read the whole request and answer it."""
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = read_call(HttpRequest(self.command, path, query, headers, body), ledger.request_id())
            found = answer(ledger, call)
            on_answer(call, found)
            self.send_response(found.status)
            for name, value in (("Content-Type", found.content_type), ("Content-Length", str(len(found.body))), *found.headers):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

        do_GET = do_POST  # noqa: N815 (the names that http.server calls)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer((_LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL,), name="embedded-aws", daemon=True)
    thread.start()
    try:
        yield f"http://{_LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
