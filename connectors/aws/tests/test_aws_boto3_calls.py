"""An action's boto3 Session belongs to its call: the call is told of each request, and nothing is
repeated, redirected or sent later.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_opening import KEY_ID, MAIL, SECRET, Opener
from boto3_stage import Stage, stage
from fake_aws import FakeAws
from jackfield.connector import Guard, InvalidConnection, JackfieldError, Rejected, Sent
from jackfield.connector.context import Call, entered
from jackfield.kernel.dataclass import replace
from jackfield_aws import ApiKeySecret, AwsClients
from jackfield_aws.transport import explain_transport
from raw_server import read_request, serving

CUTS = [
    {"do": "reset"},
    {"do": "close"},
    {"do": "status", "status": 503},
    {"do": "body", "status": 200, "body": "<"},
]


@pytest.fixture(name="fake", scope="module")
def _fake() -> Iterator[FakeAws]:
    with FakeAws() as aws:
        yield aws


@pytest.fixture(name="found", scope="module")
def _open_stage(tmp_path_factory: pytest.TempPathFactory, fake: FakeAws) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage"), fake.url) as found:
        yield found


@pytest.fixture(autouse=True)
def _fresh(fake: FakeAws) -> None:
    fake.reset()


def _send(aws: AwsClients) -> str:
    return str(aws.boto3_session().client("sesv2").send_email(**MAIL)["MessageId"])


def _in_thread(step: Callable[[], Any]) -> None:
    """Run a step in a thread of the action's own, which keeps its exception to itself."""

    def run() -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 (the thread of a careless author)
            errors.append(error)

    errors: list[Exception] = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_a_call_goes_out_over_boto3(found: Stage, fake: FakeAws) -> None:
    """The Session is boto3's own, with the connection's keys, region and endpoint, and its request
    is the call's.
    """
    seen: list[Any] = []

    def act(aws: AwsClients) -> str:
        session = aws.boto3_session()
        client = session.client("sesv2")
        seen.extend([session, client.meta.endpoint_url, session.region_name])
        return str(client.send_email(**MAIL)["MessageId"])

    result = found.run(act)
    assert result.status == "succeeded", result.error
    assert isinstance(seen[0], boto3.Session)
    assert seen[1:] == [fake.url, "eu-west-1"]
    assert (fake.requests[-1].access_key_id, fake.requests[-1].region) == (KEY_ID, "eu-west-1")
    assert result.meta.request_id


@pytest.mark.parametrize("fault", CUTS)
def test_a_write_that_is_cut_is_in_doubt(
    found: Stage, fake: FakeAws, fault: dict[str, Any]
) -> None:
    """A request that was announced and has no clear answer leaves the call in doubt, tried once."""
    fake.script([fault])
    result = found.run(_send)
    assert (result.status, len(fake.calls())) == ("in_doubt", 1)


def test_a_refusal_is_no_doubt(found: Stage, fake: FakeAws) -> None:
    """What AWS refuses has not been done."""
    fake.script([{"do": "status", "status": 400, "code": "MessageRejected", "message": "no"}])
    result = found.run(_send)
    assert result.error is not None
    assert (result.status, result.error.code) == ("failed", "rejected")


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
@pytest.mark.parametrize(
    "config", [None, Config(retries={"mode": "standard", "total_max_attempts": 9}, read_timeout=1)]
)
def test_boto3_does_not_repeat(
    found: Stage, fake: FakeAws, monkeypatch: pytest.MonkeyPatch, mode: str, config: Config | None
) -> None:
    """Neither the environment nor the author turns boto3's retries on."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "10")
    monkeypatch.setenv("AWS_RETRY_MODE", mode)
    fake.script([{"do": "status", "status": 503, "always": True}])
    result = found.run(
        lambda aws: aws.boto3_session().client("sesv2", config=config).send_email(**MAIL)
    )
    assert (result.status, fake.calls()) == ("in_doubt", ["sesv2:SendEmail"])


def test_nothing_is_sent_after_the_call(found: Stage, fake: FakeAws) -> None:
    """Session and clients are refused once the action has returned, also in the next call."""
    kept: list[Any] = []

    def act(aws: AwsClients) -> str:
        session = aws.boto3_session()
        kept.extend([session, session.client("sesv2")])
        return "kept"

    assert found.run(act).status == "succeeded"
    session, client = kept
    steps: list[Callable[[], Any]] = [
        lambda: client.send_email(**MAIL),
        lambda: session.client("s3"),
        lambda: session.get_credentials().get_frozen_credentials(),
        lambda: session.get_credentials().secret_key,
        lambda: client.generate_presigned_url("list_email_identities"),
    ]
    for step in steps:
        with pytest.raises(JackfieldError, match="has ended") as raised:
            step()
        assert raised.value.sent is Sent.NOTHING
    result = found.run(lambda _aws: client.send_email(**MAIL))
    assert (result.status, fake.calls()) == ("failed", [])


def test_a_thread_that_outlives_its_action_sends_nothing(found: Stage, fake: FakeAws) -> None:
    """A thread that is still at work when the action returns is refused, and nothing of it was
    sent.
    """
    go, done, errors = threading.Event(), threading.Event(), list[Exception]()

    def act(aws: AwsClients) -> str:
        client = aws.boto3_session().client("sesv2")

        def late() -> None:
            go.wait(60)
            try:
                client.send_email(**MAIL)
            except JackfieldError as error:
                errors.append(error)
            done.set()

        threading.Thread(target=late).start()
        return "left"

    assert found.run(act).status == "succeeded"
    go.set()
    assert done.wait(60)
    assert ([str(error) for error in errors], fake.calls()) == ([str(errors[0])], [])
    assert "has ended" in str(errors[0])


@pytest.mark.parametrize("ends", ["returns", "rejects"])
@pytest.mark.parametrize("fault", [{"do": "reset"}, {"do": "status", "status": 500}])
def test_a_cut_in_a_thread_of_its_own_stays_in_doubt(
    found: Stage, fake: FakeAws, fault: dict[str, Any], ends: str
) -> None:
    """A thread's exception never reaches the action: whatever that says, a request without a clear
    answer is in doubt.
    """

    def act(aws: AwsClients) -> str:
        client = aws.boto3_session().client("sesv2")
        _in_thread(lambda: client.send_email(**MAIL))
        if ends == "rejects":
            raise Rejected("the action refuses")
        return "done"

    fake.script([fault])
    result = found.run(act)
    assert (result.status, fake.calls()) == ("in_doubt", ["sesv2:SendEmail"])


@pytest.mark.parametrize(
    "fault", [{"do": "pass"}, {"do": "status", "status": 400, "code": "MessageRejected"}]
)
def test_a_thread_whose_request_was_answered_leaves_no_doubt(
    found: Stage, fake: FakeAws, fault: dict[str, Any]
) -> None:
    """An answer in the thread is a proof: it took effect, or it did not."""

    def act(aws: AwsClients) -> str:
        client = aws.boto3_session().client("sesv2")
        _in_thread(lambda: client.send_email(**MAIL))
        return "done"

    fake.script([fault])
    assert found.run(act).status == "succeeded"


def test_what_threads_have_done_is_named(found: Stage, fake: FakeAws) -> None:
    """Of two threads one succeeds and one is refused: a failure names the first alone as done."""

    def act(aws: AwsClients) -> str:
        client = aws.boto3_session().client("sesv2")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: client.send_email(**MAIL)).result()
            pool.submit(
                lambda: client.create_email_identity(EmailIdentity="a@example.com")
            ).result()
        return "done"

    fake.script(
        [
            {"do": "pass"},
            {"do": "status", "status": 400, "code": "BadRequestException", "message": "no"},
        ]
    )
    result = found.run(act)
    assert result.error is not None
    assert result.status == "in_doubt"
    assert "after 'SendEmail' had succeeded" in result.error.message
    assert "CreateEmailIdentity" not in " ".join(detail.message for detail in result.error.details)


def test_a_refused_request_is_no_step_that_succeeded(found: Stage, fake: FakeAws) -> None:
    """A request that an action tries after a refusal does not make a success of that."""

    def act(aws: AwsClients) -> str:
        client = aws.boto3_session().client("sesv2")
        with pytest.raises(ClientError):
            client.create_email_identity(EmailIdentity="a@example.com")
        return str(client.create_email_identity(EmailIdentity="b@example.com"))

    fake.script(
        [
            {"do": "status", "status": 400, "code": "AlreadyExistsException"},
            {"do": "status", "status": 400, "code": "BadRequest"},
        ]
    )
    assert found.run(act).status == "failed"


def test_many_threads_share_a_session(found: Stage, fake: FakeAws) -> None:
    """Clients may be made and used by many threads of one call at once."""

    def act(aws: AwsClients) -> int:
        session = aws.boto3_session()
        with ThreadPoolExecutor(16) as pool:
            return sum(
                1 for _ in pool.map(lambda _: session.client("sesv2").send_email(**MAIL), range(32))
            )

    result = found.run(act)
    assert result.output == {"said": "32"}
    assert fake.counts["sesv2:SendEmail"] == 32


def test_an_asynchronous_action_uses_threads(found: Stage, fake: FakeAws) -> None:
    """In asyncio, boto3 blocks in threads, whose requests belong to the call as well."""

    async def act(aws: AwsClients) -> str:
        client = aws.boto3_session().client("sesv2")
        sends = (asyncio.to_thread(lambda: client.send_email(**MAIL)) for _ in range(3))
        answers = await asyncio.gather(*sends, return_exceptions=True)
        return str(sum(isinstance(answer, dict) for answer in answers))

    assert found.run(act, "later").output == {"said": "3"}

    async def host() -> Any:
        return await found.jackfield.ainvoke(found.invocation("later"))

    assert asyncio.run(host()).status == "succeeded"
    fake.script([{"do": "reset"}])
    assert found.run(act, "later").status == "in_doubt"


def test_a_deadline_ends_the_wait(found: Stage, fake: FakeAws) -> None:
    """A silent answer ends at the call's deadline, in the action's thread and in its own."""
    fake.script([{"do": "hang"}])
    result = found.run(_send, timeoutSeconds=1.5)
    assert result.status == "in_doubt"
    fake.release()


def test_a_session_needs_a_call(found: Stage) -> None:
    """Outside a call there is none to announce a request to."""
    with Opener() as opener:
        clients = ApiKeySecret.model_validate(
            {"accessKeyId": KEY_ID, "secretAccessKey": SECRET}
        ).open(opener.context())
        with pytest.raises(JackfieldError, match="belongs to a call"):
            clients.boto3_session()


def test_nothing_shows_or_carries_the_keys(found: Stage) -> None:
    """Neither Session nor credentials can be pickled, and no attribute of theirs shows a key."""

    def act(aws: AwsClients) -> str:
        session = aws.boto3_session()
        held = session.get_credentials()
        for item in (session, session._session, held):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(item)
        return (
            f"{session!r} {vars(session)} {held!r} {vars(held)} {session._session!r} "
            f"{vars(session._session)}"
        )

    result = found.run(act)
    assert result.output is not None
    assert SECRET not in result.output["said"]
    assert KEY_ID not in result.output["said"]


def test_an_action_may_not_choose_the_endpoint(
    found: Stage, fake: FakeAws, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection says where its requests go; the log tells the author."""
    result = found.run(
        lambda aws: (
            aws.boto3_session().client("s3", endpoint_url="http://127.0.0.1:9").list_buckets()
        ),
        "read",
    )
    assert result.error is not None
    assert result.error.code == "internal"
    assert "an action may not choose the endpoint of its connection" in caplog.text
    assert (
        found.run(
            lambda aws: aws.boto3_session().client("sesv2", endpoint_url=fake.url).get_account(),
            "read",
        ).status
        == "succeeded"
    )


_REDIRECT = (
    b"HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: us-west-2\r\nContent-Type: "
    b"application/xml\r\nContent-Length: %d\r\n\r\n%s"
)
_MOVED = (
    b"<Error><Code>PermanentRedirect</Code><Message>use "
    b"another</Message><Endpoint>elsewhere.example</Endpoint></Error>"
)
_OK = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n'
_DENIED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def _moving(*answers: bytes) -> tuple[Callable[[socket.socket], object], list[bytes]]:
    waiting, seen = list(answers), list[bytes]()

    def talk(connection: socket.socket) -> None:
        while waiting:
            request = read_request(connection)
            if not request:
                return
            seen.append(request)
            answer = waiting.pop(0)
            if not answer:
                return
            connection.sendall(answer)

    return talk, seen


@pytest.mark.parametrize(
    ("last", "status"),
    [(_OK, "succeeded"), (b"", "in_doubt"), (_DENIED, "failed")],
    ids=["answered", "cut", "refused"],
)
def test_a_redirect_is_a_refusal_and_another_request(
    tmp_path: Path, last: bytes, status: str
) -> None:
    """S3 sends a request to another region: the first has done nothing, and the second decides."""
    talk, seen = _moving(_REDIRECT % (len(_MOVED), _MOVED), last)
    with serving(talk) as port, stage(tmp_path, f"http://127.0.0.1:{port}", "boto3-other") as found:
        result = found.run(
            lambda aws: (
                aws.boto3_session()
                .client("s3")
                .put_object(Bucket="bucket", Key="k", Body=b"x")["ETag"]
            )
        )
    assert result.status == status, result.error
    assert [b"/us-west-2/s3" in request for request in seen] == [False, True]


def test_a_redirect_to_a_foreign_host_is_refused(found: Stage, fake: FakeAws) -> None:
    """A request that something has turned to another host than the connection's never leaves."""

    def act(aws: AwsClients) -> str:
        client = aws.boto3_session().client("sesv2")

        def turn(request: Any, **_: object) -> None:
            request.url = request.url.replace("127.0.0.1", "localhost.example")

        client.meta.events.register_first("before-send.sesv2", turn)
        return str(client.send_email(**MAIL))

    result = found.run(act)
    assert result.error is not None
    assert (result.error.code, fake.calls()) == ("invalid_connection", [])
    assert "localhost.example" in result.error.message


def test_a_transfer_reports_its_parts(tmp_path: Path) -> None:
    """boto3's managed transfers send in threads of their own; a part without an answer leaves the
    upload in doubt.
    """
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100)

    def upload(aws: AwsClients) -> str:
        aws.boto3_session().resource("s3").Bucket("bucket").upload_file(str(file), "k")
        return "uploaded"

    for answer, status in ((_OK, "succeeded"), (b"", "in_doubt")):
        talk, seen = _moving(answer)
        with (
            serving(talk) as port,
            stage(tmp_path / status, f"http://127.0.0.1:{port}", "boto3-other") as found,
        ):
            assert found.run(upload).status == status
        assert len(seen) == 1


def test_a_call_is_guarded(fake: FakeAws) -> None:
    """A connection made over HTTP reaches no address that its guard refuses."""
    with Opener() as opener:
        context = replace(opener.context(awsRegion="eu-west-1"), guard=Guard())
        clients = ApiKeySecret.model_validate(
            {"accessKeyId": KEY_ID, "secretAccessKey": SECRET, "endpoint": fake.url}
        ).open(context)
        call: Call = context.call
        with entered(call):
            client = clients.boto3_session().client("sesv2")
            with pytest.raises(BotoCoreError) as raised:
                client.send_email(**MAIL)
    assert isinstance(explain_transport(raised.value), InvalidConnection)
    assert fake.calls() == []
