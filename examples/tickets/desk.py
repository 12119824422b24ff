"""A help desk that stands in for Acme's: it knows five tickets, and one key."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer

TICKETS = [{"id": str(number), "subject": f"Ticket {number}", "state": "open"} for number in range(1, 6)]


class Desk(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/v1/me":
            return self.answer({"name": "Ada"})
        start = int(self.path.partition("cursor=")[2] or 0)
        more = {"next_cursor": str(start + 2)} if start + 2 < len(TICKETS) else {}
        self.answer({"tickets": TICKETS[start : start + 2], **more})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/search"):
            return self.answer({"tickets": [ticket for ticket in TICKETS if body["words"] in ticket["subject"]]})
        TICKETS.append({"id": str(len(TICKETS) + 1), "state": "open", **body})
        self.answer(TICKETS[-1], 201)

    def answer(self, body, status=200):
        known = self.headers["X-Api-Key"] == "open-sesame"
        self.send_response(status if known else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body if known else {"message": "unknown key"}).encode())


HTTPServer(("127.0.0.1", 8700), Desk).serve_forever()
