"""Files over HTTP: downloads, ranges, whose they are, and actions that take and return them, now or
from the queue.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from tests.jackfield_service.subjects.invocations.test_http_invocations import is_settled, until

from clocks import FakeClock
from courier import SOURCE
from file_places import IN_A_FOLDER, Place, bucket
from http_stand import SETTINGS, Client, Stand, standing
from jackfield.callers import Rules
from jackfield_service.shell.pages.layout.results import output_shown
from jackfield_service.shell.process.settings import ServerSettings
from jackfield_store.files import Files
from plugboard import make_connector, plugged

MEGA = 1024 * 1024


@contextmanager
def posting(
    place: Place, tmp_path: Path, settings: ServerSettings = SETTINGS, **more: Any
) -> Iterator[Stand]:
    """Run a server with the courier, whose files lie in a place."""
    make_connector(tmp_path / "couriers", "courier", SOURCE)
    with (
        plugged(tmp_path / "couriers"),
        standing(tmp_path, settings, **more, **dict[str, Any](place.environment)) as stand,
    ):
        yield stand


def carrying(action: str = "carry", **inputs: Any) -> dict[str, Any]:
    """Return an invocation of the courier."""
    return {"connector": "courier", "action": action, "inputs": inputs}


def download(client: Client, file: str, **headers: str) -> Any:
    """Return the response to a download."""
    return client.get(f"/v1/files/{file}", **headers)


def test_a_file_goes_up_through_an_action_and_down_again(place: Place, tmp_path: Path) -> None:
    """An action reads a stored file as a stream and returns another one; text and base64 do as
    well.
    """
    content = bytes(range(256)) * 20_000
    with posting(place, tmp_path) as stand:
        client = stand.client()
        file = client.post("/v1/files", content, Content_Type="image/png").json["file"]
        for action in ("carry", "carryLater"):
            done = client.post("/v1/invocations", carrying(action, document={"file": file})).json
            assert done["status"] == "succeeded", done
            assert (done["output"]["sha256"], done["output"]["size"]) == (
                hashlib.sha256(content).hexdigest(),
                len(content),
            )
            copy = done["output"]["copies"][0]
            assert copy.keys() == {"file", "size", "contentType", "expiresAt", "name"}
            answer = download(client, copy["file"])
            assert (answer.status, answer.body == content) == (200, True)
            assert answer.headers["content-type"] == "image/png"
            assert (
                answer.headers["content-disposition"]
                == "attachment; filename=\"copy of it.bin\"; filename*=UTF-8''copy%20of%20it.bin"
            )
            assert (answer.headers["x-content-type-options"], answer.headers["accept-ranges"]) == (
                "nosniff",
                "bytes",
            )
        for inline in ("hello", {"data": base64.b64encode(b"hello").decode()}):
            output = client.post("/v1/invocations", carrying(document=inline)).json["output"]
            assert download(client, output["copies"][0]["file"]).body == b"hello"
        assert client.post("/v1/invocations", carrying("weigh", document={"file": file})).json[
            "output"
        ]["size"] == len(content)
        late = client.post(
            "/v1/invocations", {**carrying(document="x", fault="late"), "timeoutSeconds": 1}
        ).json
        assert late["error"]["code"] in ("unavailable", "timeout")  # as the deadline falls
        assert all(
            item["size"] in (5, len(content)) for item in client.get("/v1/files").json["items"]
        )


def test_a_content_type_that_is_none_is_no_header_field(tmp_path: Path) -> None:
    """A type that a caller or a provider makes up neither ends the response nor adds fields to it:
    the file is octets.
    """
    kinds = {
        "text/plain; charset=utf-8": True,
        'a/b; title="x y"': True,
        "text/plain\r\nX-Evil: 1": False,
        "文/本": False,
        "none": False,
    }
    with posting(Place({}), tmp_path) as stand:
        client = stand.client()
        for kind, kept in kinds.items():
            document = {"data": base64.b64encode(b"hello").decode(), "contentType": kind}
            copy = client.post("/v1/invocations", carrying(document=document)).json["output"][
                "copies"
            ][0]
            answer = download(client, copy["file"])
            assert (answer.status, answer.body, answer.headers.get("x-evil")) == (
                200,
                b"hello",
                None,
            )
            assert (
                answer.headers["content-type"]
                == copy["contentType"]
                == (kind if kept else "application/octet-stream")
            )


def test_ranges(place: Place, tmp_path: Path) -> None:
    """A range, an open one, a suffix; what is outside is 416, several ranges or another ETag mean
    the whole file.

    The last bytes of an empty file are all of it, as RFC 9110 has it.
    """
    content = bytes(range(256)) * 8192
    with posting(place, tmp_path) as stand:
        client = stand.client()
        file = client.post("/v1/files", content).json["file"]
        whole = download(client, file)
        for given, begin, end in (
            ("bytes=0-0", 0, 1),
            ("bytes=1048570-1048600", 1048570, 1048601),
            ("bytes=2097150-", 2097150, 2097152),
            ("bytes=-5", 2097147, 2097152),
            ("bytes=5-99999999", 5, 2097152),
        ):
            part = download(client, file, Range=given, If_Range=whole.headers["etag"])
            assert (part.status, part.body == content[begin:end]) == (206, True)
            assert part.headers["content-range"] == f"bytes {begin}-{end - 1}/{len(content)}"
        for given in ("bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=9-3"):
            assert (
                download(client, file, Range=given).status,
                download(client, file, Range="bytes=0-1", If_Range='"x"').status,
            ) == (
                200,
                200,
            )
        outside = download(client, file, Range="bytes=2097152-")
        assert (outside.status, outside.headers["content-range"]) == (416, "bytes */2097152")
        empty = client.post("/v1/files", b"").json["file"]
        assert [
            download(client, empty, Range=given).status
            for given in ("bytes=-1872", "bytes=-0", "bytes=0-")
        ] == [200, 416, 416]
        head = client.call("HEAD", f"/v1/files/{file}")
        assert (head.status, head.headers["content-length"]) == (200, str(len(content)))


@IN_A_FOLDER
def test_whose_files_they_are(place: Place, tmp_path: Path) -> None:
    """Another workspace sees nothing; a token with rules sees what it uploaded; deleting needs the
    scope ``invoke``.
    """
    with posting(place, tmp_path) as stand:
        admin, ruled = stand.client(), stand.client(rules=Rules(("courier/*",)), name="clerk")
        theirs, own = (
            admin.post("/v1/files", b"theirs").json["file"],
            ruled.post("/v1/files", b"own").json["file"],
        )
        assert [item["file"] for item in ruled.get("/v1/files").json["items"]] == [own]
        assert {item["file"] for item in admin.get("/v1/files").json["items"]} == {own, theirs}
        assert (download(ruled, theirs).status, download(ruled, own).status) == (404, 200)
        assert ruled.call("DELETE", f"/v1/files/{theirs}").status == 404
        assert stand.client("read").call("DELETE", f"/v1/files/{own}").status == 403
        returned = ruled.post("/v1/invocations", carrying(document={"file": own})).json["output"][
            "copies"
        ][0]["file"]
        assert download(ruled, returned).body == b"own"
        assert admin.call("DELETE", f"/v1/files/{own}").status == 204
        assert download(admin, own).status == 404
        page = admin.get("/v1/files?limit=1").json
        assert (
            admin.get(f"/v1/files?limit=1&cursor={page['nextCursor']}").json["items"]
            != page["items"]
        )
        for name in place.names():
            if theirs in name:
                place.write(name, b"changed" + place.read(name))
        assert download(admin, theirs).status == 404


@IN_A_FOLDER
def test_security_5_a_file_is_its_owners_wherever_its_id_is_used(
    place: Place, tmp_path: Path
) -> None:
    """Security 5: rules ended at the inputs, so a ruled token sent another token's file to a server
    of its own. Now the id is unknown to it in inputs, dry runs, queues, batches and replays, as if
    the file did not exist.
    """
    unknown = {"path": "/document/file", "message": "the file does not exist or has expired"}
    with posting(place, tmp_path) as stand:
        admin, ruled = stand.client(), stand.client(rules=Rules(("courier/*",)), name="clerk")
        other = stand.client(rules=Rules(("courier/*",)), name="other")
        theirs, own = (
            admin.post("/v1/files", b"theirs").json["file"],
            ruled.post("/v1/files", b"theirs").json["file"],
        )
        for action in ("carry", "carryLater", "weigh"):
            body = carrying(action, document={"file": theirs})
            for sent in (body, {**body, "dryRun": True}, {**body, "idempotencyKey": f"k-{action}"}):
                assert ruled.post("/v1/invocations", sent).json["error"]["details"] == [unknown]
            queued = ruled.post("/v1/invocations", body, Prefer="respond-async")
            assert (queued.status, queued.json["error"]["details"]) == (422, [unknown])
            (outcome,) = ruled.post("/v1/invocations:batch", [body]).json
            assert outcome["error"]["details"] == [unknown]
            assert other.post("/v1/invocations", carrying(action, document={"file": own})).json[
                "error"
            ]["details"] == [unknown]
            assert (
                ruled.post("/v1/invocations", carrying(action, document={"file": own})).json[
                    "output"
                ]["size"]
                == 6
            )
            assert (
                admin.post("/v1/invocations", carrying(action, document={"file": own})).json[
                    "output"
                ]["size"]
                == 6
            )
        kept = {**carrying("weigh", document={"file": theirs}), "idempotencyKey": "letter"}
        assert admin.post("/v1/invocations", kept).json["output"]["size"] == 6
        # whether the content is the same is not told
        assert ruled.post("/v1/invocations", kept).status == 422
        queued = ruled.post(
            "/v1/invocations", carrying(document={"file": own}), Prefer="respond-async"
        ).json["invocationId"]
        assert until(ruled, queued, is_settled)["output"]["size"] == 6


CHANGED = (
    "caller = (SELECT caller FROM files WHERE id = :own)",
    "caller = NULL",
    "size = size - 1",
    "size = 99",
    "name = 'invoice.pdf'",
    "content_type = 'text/html' || CHAR(13) || CHAR(10) || 'X-Injected: 1'",
    "content_type = 'text/html'",
    "sealed = (SELECT sealed FROM files WHERE id = :own)",
)


@IN_A_FOLDER
def test_a_file_whose_row_was_changed_is_unknown(place: Place, tmp_path: Path) -> None:
    """Whoever could write to the database made another token's file its own, or gave it another
    type; a type with a line break ended the connection. Nobody finds such a file now: not to
    download it, to delete it, in lists, nor as an input.
    """
    with posting(place, tmp_path) as stand:
        admin, ruled = stand.client(), stand.client(rules=Rules(("courier/*",)), name="clerk")
        good = set()
        for assignment in CHANGED:
            theirs, own = (
                admin.post("/v1/files", b"theirs").json["file"],
                ruled.post("/v1/files", b"theirs").json["file"],
            )
            good.add(own)
            with stand.host.storage.database.write() as transaction:
                transaction.change(
                    f"UPDATE files SET {assignment} WHERE id = :theirs",
                    {"theirs": theirs, "own": own},
                )
            for client in (admin, ruled):
                assert download(client, theirs).status == 404, assignment
                assert client.call("DELETE", f"/v1/files/{theirs}").status == 404, assignment
                assert {file["file"] for file in client.get("/v1/files").json["items"]} == good, (
                    assignment
                )
                for action in ("carry", "weigh"):
                    sent = carrying(action, document={"file": theirs})
                    assert (
                        client.post("/v1/invocations", sent).json["error"]["details"][0]["path"]
                        == "/document/file"
                    ), assignment


@IN_A_FOLDER
def test_a_file_of_the_version_before_is_served(place: Place, tmp_path: Path) -> None:
    """A file that a process of the version before has stored has no seal over its row; it lives for
    a day.
    """
    with posting(place, tmp_path) as stand:
        client = stand.client()
        file = client.post("/v1/files", b"content", Content_Type="image/png").json["file"]
        vault = stand.host.storage.vault
        with stand.host.storage.database.write() as transaction:
            (row,) = transaction.execute("SELECT sealed FROM files")
            old = vault.seal(
                "default", ("file", file), vault.open("default", ("file", file), row.sealed)[:64]
            )
            transaction.change("UPDATE files SET sealed = :sealed", {"sealed": old})
        assert download(client, file).body == b"content"
        assert (
            client.post("/v1/invocations", carrying("weigh", document={"file": file})).json[
                "output"
            ]["size"]
            == 7
        )


@IN_A_FOLDER
def test_security_5_the_journal_shows_outputs_to_their_owner(place: Place, tmp_path: Path) -> None:
    """Security 5: the journal showed a ruled token the outputs of all others, with the ids of their
    files.
    """
    with posting(place, tmp_path) as stand:
        admin, ruled = stand.client(), stand.client(rules=Rules(("courier/*",)), name="clerk")
        theirs = admin.post("/v1/invocations", carrying(document="theirs")).json
        own = ruled.post("/v1/invocations", carrying(document="own")).json
        shown = ruled.get(f"/v1/invocations/{theirs['meta']['invocationId']}").json
        assert (shown["status"], "output" in shown) == ("succeeded", False)
        assert (
            ruled.get(f"/v1/invocations/{own['meta']['invocationId']}").json["output"]
            == own["output"]
        )
        assert (
            admin.get(f"/v1/invocations/{own['meta']['invocationId']}").json["output"]
            == own["output"]
        )
        listed = {
            item["invocationId"]: "output" in item
            for item in ruled.get("/v1/invocations").json["items"]
        }
        assert listed == {theirs["meta"]["invocationId"]: False, own["meta"]["invocationId"]: True}


@IN_A_FOLDER
def test_large_contents_of_a_queued_invocation_become_files(place: Place, tmp_path: Path) -> None:
    """The journal's row holds references to what would make it large, and the files are kept for as
    long as the invocation waits.
    """
    clock, content = FakeClock(), bytes(range(256)) * 4000
    inline = {"data": base64.b64encode(content).decode(), "contentType": "image/png"}
    with posting(place, tmp_path, replace(SETTINGS, queue_workers=1), clock=clock) as stand:
        client = stand.client()
        queued = {}
        for action in ("carry", "weigh"):
            body = {
                **carrying(action, document=inline),
                "notBefore": "2100-01-01T00:00:00Z",
                "idempotencyKey": action,
            }
            queued[action] = client.post("/v1/invocations", body, Prefer="respond-async").json[
                "invocationId"
            ]
            again = client.post("/v1/invocations", body, Prefer="respond-async")
            assert (again.status, again.json) == (
                202,
                {"invocationId": queued[action], "status": "queued", "replayed": True},
            )
        small = carrying("carry", document={**inline, "data": "AAAA"}) | {
            "notBefore": "2100-01-01T00:00:00Z"
        }
        queued["small"] = client.post("/v1/invocations", small, Prefer="respond-async").json[
            "invocationId"
        ]
        with stand.host.storage.database.read() as transaction:
            assert all(
                len(row.inputs) < 1000
                for row in transaction.execute(
                    "SELECT inputs FROM invocations WHERE status = 'queued'"
                )
            )
        files = client.get("/v1/files").json["items"]
        assert [(file["size"], file["contentType"]) for file in files] == [
            (len(content), "image/png")
        ] * 2
        clock.advance(50 * 3600)
        assert stand.host.files.sweep() == 0
        with stand.host.storage.database.write() as transaction:
            transaction.change("UPDATE invocations SET available_at = 0 WHERE status = 'queued'")
        stand.host.wake()
        entries = {
            action: until(client, identifier, is_settled) for action, identifier in queued.items()
        }
        assert {entry["status"] for entry in entries.values()} == {"succeeded"}
        assert entries["carry"]["output"]["sha256"] == hashlib.sha256(content).hexdigest()


def test_contents_stay_with_the_invocation_where_files_may_be_elsewhere(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another machine's worker may not reach the files, or these are full, contents wait in
    the journal's row.
    """
    inline = {"data": base64.b64encode(bytes(MEGA)).decode(), "contentType": "image/png"}
    with posting(place, tmp_path, replace(SETTINGS, queue_workers=1, files_count=1)) as stand:
        client = stand.client()
        first = client.post("/v1/files", b"1")
        assert first.status == 201
        for is_shared in (True, False):
            monkeypatch.setattr(Files, "is_shared", is_shared)
            queued = client.post(
                "/v1/invocations", carrying("weigh", document=inline), Prefer="respond-async"
            ).json["invocationId"]
            assert until(client, queued, is_settled)["status"] == "succeeded"
        assert [file["file"] for file in client.get("/v1/files").json["items"]] == [
            first.json["file"]
        ]


@IN_A_FOLDER
def test_a_queued_invocation_keeps_its_files(place: Place, tmp_path: Path) -> None:
    """The journal stores the reference, the file outlives its expiry for as long as the invocation
    waits, and a worker reads it.
    """
    clock = FakeClock()
    content = b"x" * (3 * MEGA)
    with posting(place, tmp_path, replace(SETTINGS, queue_workers=1), clock=clock) as stand:
        client = stand.client()
        file, other = (client.post("/v1/files", content).json["file"] for _ in range(2))
        later = "2100-01-01T00:00:00Z"
        queued = {}
        for action in ("carry", "weigh"):
            body = {**carrying(action, document={"file": file}), "notBefore": later}
            answer = client.post("/v1/invocations", body, Prefer="respond-async")
            assert answer.status == 202, answer.body
            queued[action] = answer.json["invocationId"]
        with stand.host.storage.database.read() as transaction:
            assert all(
                len(row.inputs) < 1000
                for row in transaction.execute(
                    "SELECT inputs FROM invocations WHERE status = 'queued'"
                )
            )
        missing = client.post(
            "/v1/invocations",
            carrying(document={"file": "file_" + "x" * 22}),
            Prefer="respond-async",
        )
        assert (missing.status, missing.json["error"]["details"][0]["path"]) == (
            422,
            "/document/file",
        )
        clock.advance(50 * 3600)
        assert stand.host.files.sweep() == 1
        assert (download(client, other).status, download(client, file).status) == (404, 200)
        with stand.host.storage.database.write() as transaction:
            transaction.change("UPDATE invocations SET available_at = 0 WHERE status = 'queued'")
        stand.host.wake()
        for action, identifier in queued.items():
            entry = until(client, identifier, is_settled)
            assert entry["status"] == "succeeded", (action, entry)
        clock.advance(50 * 3600)
        assert stand.host.files.sweep() == 2
        assert (place.names(), client.get("/v1/files").json["items"]) == ([], [])


@IN_A_FOLDER
def test_equal_files_are_equal_requests(place: Place, tmp_path: Path) -> None:
    """Under one idempotency key the same content, uploaded again, is the same request, and other
    content is another one.
    """
    with posting(place, tmp_path) as stand:
        client = stand.client()
        first, again, other = (
            client.post("/v1/files", content).json["file"]
            for content in (b"same", b"same", b"other")
        )
        bodies = [
            {**carrying("weigh", document={"file": file}), "idempotencyKey": "k"}
            for file in (first, again, other)
        ]
        done = [client.post("/v1/invocations", body) for body in bodies]
        assert [answer.status for answer in done] == [200, 200, 422]
        assert [answer.json["meta"]["replayed"] for answer in done[:2]] == [False, True]
        assert done[2].json["error"]["code"] == "idempotency_conflict"


@IN_A_FOLDER
def test_what_stands_beside_a_file_stays_with_its_content(place: Place, tmp_path: Path) -> None:
    """An uploaded file may be a picture of a mail's HTML: its content ID stands beside its id, and
    a media type there wins over the file's. What a FILE does not have is refused, and a file that
    is unknown is told as it is alone.
    """
    values = {
        "accessKeyId": "AKIAABCDEFGHIJKLWXYZ",
        "secretAccessKey": "secret",
        "region": "eu-west-1",
    }
    inputs = {
        "to": "ada@example.com",
        "sender": "n@example.com",
        "subject": "s",
        "html": "<img alt='' src='cid:logo'>",
        "preview": True,
    }
    mail = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": {"type": "aws-ses/apiKeySecret", "values": values},
        "dryRun": True,
    }
    with posting(place, tmp_path) as stand:
        client = stand.client()
        file = client.post("/v1/files", b"GIF89a", Content_Type="application/octet-stream").json[
            "file"
        ]

        def previewed(**beside: str) -> Any:
            attachments = {"a.gif": {"file": file, **beside}}
            return client.post(
                "/v1/invocations", {**mail, "inputs": {**inputs, "attachments": attachments}}
            ).json

        shown = {
            "name": "a.gif",
            "contentType": "image/gif",
            "sizeBytes": 6,
            "disposition": "inline",
            "contentId": "logo",
            "shown": True,
        }
        assert previewed(contentId="logo", contentType="image/gif")["output"]["attachments"] == [
            shown
        ]
        assert previewed()["output"]["attachments"][0]["contentType"] == "application/octet-stream"
        for beside in ({"contentID": "logo"}, {"data": "R0lG"}):
            assert previewed(**beside)["error"]["code"] == "invalid_input"
        file = "unknown"
        (detail,) = previewed(contentId="logo")["error"]["details"]
        assert detail["path"] == "/attachments/a.gif/file"


def test_a_storage_that_is_away_is_503(tmp_path: Path, s3_port: int) -> None:
    """Uploads, downloads and invocations that need a file are unavailable and may be repeated; the
    rest of the server works.
    """
    place = bucket(s3_port, "http-away")
    with posting(place, tmp_path) as stand:
        client = stand.client()
        file = client.post("/v1/files", b"here").json["file"]
    away = Place(
        {
            **place.environment,
            "JACKFIELD_FILES_URL": "s3://shelf/http-away?endpoint=http://127.0.0.1:1",
        }
    )
    shared: dict[str, Any] = {
        "JACKFIELD_DATABASE_URL": _database(tmp_path),
        **_key(tmp_path),
        **away.environment,
    }
    with plugged(tmp_path / "couriers"), standing(tmp_path / "again", **shared) as stand:
        client = stand.client()
        for answer in (client.post("/v1/files", b"x"), download(client, file)):
            assert (answer.status, answer.json["code"], "retry-after" in answer.headers) == (
                503,
                "unavailable",
                True,
            )
        refused = client.post("/v1/invocations", carrying("weigh", document={"file": file}))
        assert (
            refused.status,
            refused.json["error"]["code"],
            refused.json["error"]["retryable"],
        ) == (503, "unavailable", True)
        assert client.post("/v1/invocations", carrying("weigh", document="x")).status == 200


def _database(folder: Path) -> str:
    return f"sqlite:///{folder / 'home' / 'jackfield.db'}"


def _key(folder: Path) -> dict[str, str]:
    return {"JACKFIELD_MASTER_KEY_FILE": str(folder / "home" / "master.key")}


@pytest.mark.parametrize(
    "name",
    [
        "report.pdf",
        "../../etc/passwd",
        'a"b\r\nSet-Cookie: x',
        "Überweisung.pdf",
        "scan\u202efdp.exe",
    ],
)
def test_a_form_gives_the_file_its_name(name: str, tmp_path: Path) -> None:
    """The name of an uploaded file comes back in the download, without folders, line breaks, and
    marks that turn its ending around.
    """
    sent = name.replace('"', "%22").replace("\r\n", "%0D%0A").encode()
    form = (
        b'--x\r\nContent-Disposition: form-data; name=f; filename="'
        + sent
        + b'"\r\n\r\nhello\r\n--x--\r\n'
    )
    with standing(tmp_path) as stand:
        client = stand.client()
        file = client.post("/v1/files", form, Content_Type="multipart/form-data; boundary=x").json[
            "file"
        ]
        header = download(client, file).headers["content-disposition"]
        assert header.startswith("attachment; filename=")
        assert not set(header) & set("/\\\r\n")
        assert "%E2%80%AE" not in header


def test_a_file_keeps_its_name_in_other_languages(tmp_path: Path) -> None:
    """The extended form of a name (RFC 8187) counts, before the plain one: in a form, where it
    makes a part a file by itself, and in the head of a raw body. The download has the name in both
    forms.
    """
    extended = b"filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%E2%82%AC.pdf"
    with standing(tmp_path) as stand:
        client = stand.client()
        for words in (
            extended,
            b'filename="plain.pdf"; ' + extended,
            b"filename*0*=UTF-8''Gr%C3%BC%C3%9Fe; filename*1*=%20%E2%82%AC.pdf",
        ):
            form = (
                b"--x\r\nContent-Disposition: form-data; name=f; "
                + words
                + b"\r\n\r\nhello\r\n--x--\r\n"
            )
            sent = client.post("/v1/files", form, Content_Type="multipart/form-data; boundary=x")
            raw = client.post(
                "/v1/files",
                b"hello",
                Content_Type="application/pdf",
                Content_Disposition="attachment; " + words.decode(),
            )
            for made in (sent, raw):
                assert made.json["name"] == "Grüße €.pdf", words
            shown = download(client, raw.json["file"]).headers["content-disposition"]
            assert shown == (
                'attachment; filename="Gr__e _.pdf"; '
                "filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%E2%82%AC.pdf"
            )
        assert (
            "name"
            not in client.post(
                "/v1/files", b"hello", Content_Type="application/pdf", Content_Disposition="inline"
            ).json
        )


_NAMES = {
    'a"b; filename=x.txt': 'a"b; filename=x.txt',
    "a\r\nX-Evil: 1.txt": "aX-Evil: 1.txt",
    "../../etc/passwd": "passwd",
    "C:\\Users\\ada\\CON.txt": "CON.txt",
    "scan\u202efdp.exe": "scanfdp.exe",
    "\ufeff\u200bone\u2028two.txt": "onetwo.txt",
    "50%25 of it's.pdf": "50%25 of it's.pdf",
    "\U0001f469\u200d\U0001f680.png": "\U0001f469\u200d\U0001f680.png",
    "report.pdf. .": "report.pdf",
    "..": None,
    " . ": None,
    "n" * 300 + ".pdf": "n" * 196 + ".pdf",
    "\u00e9" * 150 + ".tar": "\u00e9" * 98 + ".tar",
    "\U0001f600" * 70: "\U0001f600" * 50,
}


def test_each_way_in_names_a_file_so_that_it_can_be_saved(tmp_path: Path) -> None:
    """The name of an upload, of an action's file and of the command line: the last part of a path,
    without what is not seen, and without dots and blanks at its end; a long one keeps its ending.
    The download names it in both forms, on one line.
    """
    with posting(Place({}), tmp_path) as stand:
        client, head = stand.client(), "attachment; filename*=UTF-8''"
        for given, kept in _NAMES.items():
            raw = client.post(
                "/v1/files",
                b"hello",
                Content_Type="text/html",
                Content_Disposition=head + quote(given, safe=""),
            ).json
            copy = client.post("/v1/invocations", carrying(document="hello", name=given)).json[
                "output"
            ]["copies"][0]
            assert [raw.get("name"), copy.get("name")] == [kept, kept]
            for file in (raw["file"], copy["file"]):
                reply = download(client, file)
                assert (reply.status, reply.body, reply.headers.get("x-evil")) == (
                    200,
                    b"hello",
                    None,
                )
                plain, extended = re.fullmatch(
                    r"attachment; filename=\"([\w ._-]+)\"(?:; filename\*=UTF-8''(.*))?",
                    reply.headers["content-disposition"],
                    re.ASCII,
                ).groups()  # type: ignore[union-attr]
                assert (unquote(extended) if extended else None, len(plain) <= 200) == (kept, True)


def test_a_download_that_is_resumed_is_the_file(tmp_path: Path) -> None:
    """A file of text is not compressed: whoever resumes it asks for what is missing after the bytes
    that came, and a range counts those of the file. Its length is told, and nothing else loses its
    compression.
    """
    content = b"a,b,c\r\n" * 50_000
    with posting(Place({}), tmp_path) as stand:
        client = stand.client()
        file = client.post("/v1/files", content, Content_Type="text/csv").json["file"]
        whole = download(client, file, Accept_Encoding="gzip")
        assert (
            whole.headers.get("content-encoding"),
            whole.headers["content-length"],
            whole.body,
        ) == (None, str(len(content)), content)
        assert whole.headers["x-accel-buffering"] == "no"  # nginx passes it on as it is read
        rest = download(
            client,
            file,
            Accept_Encoding="gzip",
            Range="bytes=1000-",
            If_Range=whole.headers["etag"],
        )
        assert (rest.status, whole.body[:1000] + rest.body) == (206, content)
        assert (
            client.get("/openapi.json", Accept_Encoding="gzip").headers["content-encoding"]
            == "gzip"
        )


def test_the_console_links_files_of_an_output() -> None:
    """A file in an output is a link to its download; what only looks like one is not."""
    file = {
        "file": "file_" + "x" * 22,
        "size": 5,
        "contentType": "text/plain",
        "expiresAt": "2100-01-01T00:00:00Z",
    }
    assert f'href="/files/{file["file"]}"' in str(
        output_shown({"copies": [file, file]}, "echo/say")
    )
    assert "href" not in str(output_shown({**file, "file": "../connections"}, "echo/say"))
