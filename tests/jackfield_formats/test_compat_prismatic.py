"""Prismatic's connections and inputs, in each of the forms in which an integration has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_formats.foreign_files import connection, loaded, problem, write

from fake_aws import FakeAws
from jackfield import Jackfield
from jackfield.catalog import Catalog
from jackfield.invocation import decode
from jackfield.invocation.wire import MAX_BUFFERED
from jackfield.kernel.errors import InvalidInvocation
from shell import Shell

pytest_plugins = ["shell_fixture"]

KEYS = {"accessKeyId": "AKIPRISMATICKEY", "secretAccessKey": "prismatic-key-secret"}
COMPONENT = {"key": "aws-ses", "version": "LATEST", "isPublic": True}
ROLE = "arn:aws:iam::123456789012:role/orders-mail"


def test_both_connections_of_the_document_are_read(samples: Path) -> None:
    """An integration's role and key pair are connections under the variables' names; other
    variables are none.
    """
    found = {
        item.name: (item.type, dict(item.values))
        for item in loaded(samples / "prismatic-integration.yaml").files()
    }
    assert found == {
        "Mail-by-role": (
            "aws/awsAssumeRole",
            {
                "roleARN": ROLE,
                "externalId": "orders-7",
                "accessKeyId": "AKIPRISMATICROLE",
                "secretAccessKey": "prismatic-role-secret",
            },
        ),
        "Mail-by-key": ("aws/apiKeySecret", KEYS),
    }


def test_what_an_integration_sends_is_sent(samples: Path, aws: FakeAws) -> None:
    """Its inputs are taken as they are: regions in any spelling, lists with commas, blank copies,
    attachments as keys and values.
    """
    invocation = json.loads((samples / "prismatic-invocation.json").read_text())
    with Jackfield(connections=[str(samples / "prismatic-integration.yaml")]) as runtime:
        assert runtime.invoke(invocation).unwrap()
        listed = runtime.invoke(
            {
                "connector": "aws-ses",
                "action": "listIdentities",
                "connection": "Mail-by-key",
                "inputs": {
                    "awsRegion": "eu-west-1",
                    "identityType": "Domain",
                    "nextToken": "",
                    "fetchAll": "true",
                    "pageSize": "50",
                },
            }
        )
    assert listed.status == "succeeded"
    (message,) = aws.messages
    assert (message.to, message.cc, message.reply_to) == (
        ("ada@rcpt.test", "bob@rcpt.test"),
        (),
        ("help@sender.test",),
    )
    assert (
        message.region,
        message.access_key_id,
        [item.name for item in message.content.attachments],
    ) == (
        "eu-west-1",
        "AKIPRISMATICKEY",
        ["slip.txt"],
    )


def test_recipients_of_nothing_but_blanks_are_not_given(samples: Path, aws: FakeAws) -> None:
    """A form that leaves a blank behind names nobody: the mail goes to the others, and to nobody
    where there is no other.
    """
    invocation = json.loads((samples / "prismatic-invocation.json").read_text())
    inputs = {**invocation["inputs"], "cc": " ", "bcc": "\t ", "replyTo": " \n"}
    with Jackfield(connections=[str(samples / "prismatic-integration.yaml")]) as runtime:
        assert runtime.invoke({**invocation, "inputs": inputs}).unwrap()
        refused = runtime.invoke({**invocation, "inputs": {**inputs, "to": "  "}})
    (message,) = aws.messages
    assert (message.cc, message.bcc, message.reply_to) == ((), (), ())
    assert refused.error is not None
    assert refused.error.code == "invalid_input"


def test_a_role_is_assumed_with_its_external_id(samples: Path, aws: FakeAws) -> None:
    """The connection by role works as it is."""
    aws.configure(roles={ROLE: {"external_id": "orders-7"}})
    invocation = json.loads((samples / "prismatic-invocation.json").read_text())
    with Jackfield(connections=[str(samples / "prismatic-integration.yaml")]) as runtime:
        assert runtime.invoke({**invocation, "connection": "Mail-by-role"}).unwrap()
    assert aws.calls() == ["sts:AssumeRole", "sesv2:SendEmail"]


TYPED = {name: {"type": "value", "value": value} for name, value in KEYS.items()}
LISTED = [{"name": name, "type": "VALUE", "value": value} for name, value in KEYS.items()]
CONNECTION = {"key": "apiKeySecret", "component": COMPONENT}


@pytest.mark.parametrize(
    "document",
    [
        {
            "definitionVersion": 7,
            "requiredConfigVars": [
                {"key": "Mail", "dataType": "connection", "connection": CONNECTION, "inputs": TYPED}
            ],
        },
        {"configVariables": [{"key": "Mail", "connection": CONNECTION, "inputs": LISTED}]},
        {
            "configVariables": [
                {"key": "Mail", "connection": CONNECTION, "inputs": json.dumps(LISTED)}
            ]
        },
        {"configVars": {"Mail": {"connection": CONNECTION, "inputs": KEYS}}},
        [
            {
                "key": "Mail",
                "connection": CONNECTION,
                "inputs": [{"key": name, "value": value} for name, value in KEYS.items()],
            }
        ],
        {"key": "Mail", "connection": "apiKeySecret", "component": "aws-ses", "inputs": KEYS},
        {"key": "Mail", "connection": "apiKeySecret", "inputs": KEYS},
        {
            "key": "apiKeySecret",
            "configVarKey": "Mail",
            "fields": {**KEYS, "externalId": ""},
            "token": None,
            "context": None,
        },
        {
            "configVariables": [
                {"key": "Mail", "dataType": "connection", "connection": CONNECTION, "values": KEYS}
            ]
        },
    ],
)
def test_a_connection_may_be_written_in_any_form(folder: Path, document: Any) -> None:
    """In an integration, an instance, alone, or as code gets it; inputs as objects, typed values,
    lists, or JSON text.
    """
    found = connection(write(folder, "prismatic.json", json.dumps(document)))
    assert (found.name, found.type, dict(found.values)) == ("Mail", "aws/apiKeySecret", KEYS)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"requiredConfigVars": []}, "there is no connection among the configuration variables"),
        ({"requiredConfigVars": 5}, "requiredConfigVars: must be a list"),
        (
            {"configVariables": [{"key": "M", "connection": {"component": COMPONENT}}]},
            "configVariables[0]: connection.key: must be the key of a connection",
        ),
        (
            {
                "configVariables": [
                    {
                        "key": "M",
                        "connection": {"key": "apiKeySecret", "component": {"key": "slack"}},
                    }
                ]
            },
            "no installed connector supports the component 'slack'; known: aws-ses",
        ),
        (
            {"configVariables": [{"key": "M", "connection": {"key": "x", "component": 5}}]},
            "connection.component.key: must be the key of a component",
        ),
        (
            {"key": "M", "connection": "oauth2", "inputs": {}},
            "connection.key: no installed connector supports 'oauth2'",
        ),
        (
            {"key": "M", "connection": CONNECTION, "inputs": 5},
            "inputs: must be an object, or a list",
        ),
        ({"key": "M", "connection": CONNECTION, "inputs": "{"}, "inputs: the string is not JSON"),
        (
            {"key": "M", "connection": CONNECTION, "inputs": [{"value": 1}]},
            "inputs[0]: must be an object with 'name' and 'value'",
        ),
        (
            {
                "key": "M",
                "connection": CONNECTION,
                "inputs": {"accessKeyId": {"type": "configVar", "value": "x"}},
            },
            "inputs.accessKeyId: is a reference of the type 'configvar'",
        ),
        (
            {"key": "M", "connection": CONNECTION, "inputs": {"apiKey": "x"}},
            "inputs.apiKey: is not an input of the connection 'apiKeySecret'",
        ),
        (
            {"key": "M", "connection": {"key": "other", "component": COMPONENT}, "inputs": {}},
            "it has no credentials; it needs key=awsAssumeRole or key=apiKeySecret",
        ),
    ],
)
def test_a_fault_names_its_place(folder: Path, document: Any, says: str) -> None:
    """What is wrong is told with the member, and without its value."""
    told = problem(write(folder, "prismatic.json", json.dumps(document)))
    assert told.startswith("prismatic.json: ")
    assert says in told


def sent(aws: FakeAws, samples: Path, inputs: Any = None, **members: Any) -> Any:
    """The Result of the sample's invocation with some of its inputs and members replaced."""
    invocation = json.loads((samples / "prismatic-invocation.json").read_text())
    # a list replaces them
    given = (
        {**invocation["inputs"], **inputs}
        if isinstance(inputs, dict)
        else inputs or invocation["inputs"]
    )
    with Jackfield(connections=[str(samples / "prismatic-integration.yaml")]) as runtime:
        return runtime.invoke({**invocation, "inputs": given, **members})


BUFFER = {"type": "Buffer", "data": [0, 255, 37, 80]}
FILE = bytes(BUFFER["data"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "attachments",
    [
        [{"key": "a.pdf", "value": BUFFER}],
        [{"key": "a.pdf", "value": {"data": BUFFER, "contentType": "application/pdf"}}],
        {"a.pdf": BUFFER},
        json.dumps([{"key": "a.pdf", "value": {"data": BUFFER, "contentType": "application/pdf"}}]),
        json.dumps({"a.pdf": BUFFER}),
    ],
)
def test_001_attachments_a_buffer_as_json_is_a_file(
    samples: Path, aws: FakeAws, attachments: Any
) -> None:
    """A Buffer is a file, alone or with its content type, in a list, a map, or either as one JSON
    text (001, Attachments).
    """
    assert sent(aws, samples, {"attachments": attachments}).status == "succeeded"
    (file,) = aws.messages[0].content.attachments
    assert (file.name, file.data, file.content_type) == ("a.pdf", FILE, "application/pdf")


def test_all_references_are_reported_at_once(samples: Path, aws: FakeAws) -> None:
    """Of several references only the first was named."""
    references = {
        "subject": {"type": "configVar", "value": "S"},
        "text": {"type": "template", "value": "T"},
    }
    error = sent(aws, samples, {**references, "html": {"type": "value", "value": "H"}}).error
    assert error is not None
    assert [detail.path for detail in error.details] == ["/subject", "/text"]


def test_001_attachments_a_buffer_of_ordinary_size_is_a_file(samples: Path, aws: FakeAws) -> None:
    """A Buffer of 300,000 bytes was refused, since it has as many JSON values (001,
    Attachments).
    """
    content = bytes(range(250)) * 1200
    buffers = [{"type": "Buffer", "data": [*content]}, {"data": [*content], "type": "Buffer"}]
    for buffer in buffers:
        given = decode(json.dumps([{"key": "a.pdf", "value": buffer}]))
        assert sent(aws, samples, {"attachments": given}).status == "succeeded"
    files = [file.data for message in aws.messages for file in message.content.attachments]
    assert files == [content, content]


@pytest.mark.parametrize(
    ("attachments", "path"),
    [
        ("not JSON", "/attachments"),
        ("[1", "/attachments"),
        ([{"key": "a.pdf", "value": {"type": "Buffer", "data": [256]}}], "/attachments/0/value"),
        ([{"key": "a.pdf", "value": {**BUFFER, "more": 1}}], "/attachments/0/value"),
    ],
)
def test_001_what_only_resembles_a_buffer_is_refused(
    samples: Path, aws: FakeAws, attachments: Any, path: str
) -> None:
    """The shape is exact: anything else breaks the action's schema as before (001, Attachments)."""
    error = sent(aws, samples, {"attachments": attachments}).error
    assert error is not None
    assert error.code == "invalid_input"
    assert error.details[0].path.startswith(path)
    assert aws.messages == []


def test_001_attachments_the_text_of_an_address_is_told(
    samples: Path, aws: FakeAws, caplog: pytest.LogCaptureFixture
) -> None:
    """An https text is sent as it is, and the log says that nothing was fetched (001,
    Attachments).
    """
    assert (
        sent(
            aws, samples, {"attachments": {"a.txt": "https://files.example.com/a.txt?key=hidden"}}
        ).status
        == "succeeded"
    )
    assert (
        "attachment 1 is the text of an address: that text is sent, not the file behind it"
        in caplog.text
    )
    assert "hidden" not in caplog.text


def test_001_connection_as_code_gets_it_works_inline(samples: Path, aws: FakeAws) -> None:
    """``{key, configVarKey, fields}`` is a connection of an invocation; blank fields are missing
    (001, Connection).
    """
    given = {
        "key": "apiKeySecret",
        "configVarKey": "Mail",
        "fields": {**KEYS, "externalId": ""},
        "token": None,
        "context": {},
    }
    assert sent(aws, samples, connection=given).status == "succeeded"
    assert aws.messages[0].access_key_id == KEYS["accessKeyId"]


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        (
            {"key": "apiKeySecret", "fields": {**KEYS, "apiKey": "x"}},
            "fields.apiKey: is not an input of the connection 'apiKeySecret'",
        ),
        ({"key": "oauth2", "fields": KEYS}, "it has no credentials"),
        (
            {"key": "apiKeySecret", "fields": {"accessKeyId": {"type": "configVar", "value": "x"}}},
            "only Prismatic can resolve",
        ),
        (
            {"key": "apiKeySecret", "fields": KEYS, "unknown": 1},
            "'key' is not a member of an inline connection",
        ),
        (
            {"key": "apiKeySecret", "fields": KEYS, "type": "apiKeySecret"},
            "'key' is not a member of an inline connection",
        ),
    ],
)
def test_001_an_inline_connection_that_cannot_be_read_is_told(
    samples: Path, aws: FakeAws, connection: Any, says: str
) -> None:
    """Its own faults are named; what is not exactly of this shape is judged as a native one (001,
    Connection).
    """
    error = sent(aws, samples, connection=connection).error
    assert error is not None
    assert error.code == "invalid_invocation"
    assert says in error.details[0].message
    assert KEYS["secretAccessKey"] not in repr(error.to_json())


@pytest.mark.parametrize("listed", [False, True])
def test_001_inputs_of_a_step_are_read_as_an_integration_has_them(
    samples: Path, aws: FakeAws, listed: bool
) -> None:
    """``{type, value}`` for each input, or a list of them with names; a complex value has keys and
    values (001, inputs of a step).
    """
    plain = json.loads((samples / "prismatic-invocation.json").read_text())["inputs"]
    files = [{"name": {"type": "value", "value": "a.pdf"}, "type": "value", "value": BUFFER}]
    typed = {name: {"type": "value", "value": value} for name, value in plain.items()} | {
        "attachments": {"type": "complex", "value": files}
    }
    given = [{"name": name, **item} for name, item in typed.items()] if listed else typed
    if listed:
        given = [
            item
            if item["name"] != "attachments"
            else {"name": "attachments", "value": {"a.pdf": BUFFER}}
            for item in given
        ]
    assert sent(aws, samples, inputs=given).status == "succeeded"
    (message,) = aws.messages
    assert (message.to, message.content.attachments[0].data) == (
        ("ada@rcpt.test", "bob@rcpt.test"),
        FILE,
    )


def test_001_a_reference_among_typed_inputs_is_refused_by_name(samples: Path, aws: FakeAws) -> None:
    """Only Prismatic can resolve a configuration variable (001, inputs of a step)."""
    error = sent(aws, samples, {"subject": {"type": "configVar", "value": "Subject"}}).error
    assert error is not None
    assert [(item.path, item.message) for item in error.details] == [
        ("/subject", "is a reference of the type 'configVar', which only Prismatic can resolve")
    ]


def test_001_typed_inputs_change_no_native_invocation(samples: Path, aws: FakeAws) -> None:
    """Tags called ``type`` and ``value`` stay tags while the rest is valid, and a typed sender that
    is blank comes from the connection.
    """
    assert sent(aws, samples, {"tags": {"type": "value", "value": "x"}}).status == "succeeded"
    assert aws.messages[0].tags == {"type": "value", "value": "x"}
    blank = {"sender": {"type": "value", "value": ""}}
    inline = {"type": "apiKeySecret", "values": {**KEYS, "sender": "usual@sender.test"}}
    assert sent(aws, samples, blank, connection=inline).status == "succeeded"
    assert aws.messages[1].source == "usual@sender.test"


def test_001_other_connectors_do_not_read_these_forms(samples: Path, aws: FakeAws) -> None:
    """A list of inputs is no object for an action that no alias names."""
    error = sent(aws, samples, [{"name": "to", "value": "a@b.cd"}], action="listSomething").error
    assert error is not None
    assert error.code == "invalid_invocation"


def test_001_an_empty_list_is_no_list_of_inputs(samples: Path, aws: FakeAws) -> None:
    """A list without an input has nobody's form: inputs are an object."""
    invocation = json.loads((samples / "prismatic-invocation.json").read_text())
    with Jackfield(connections=[str(samples / "prismatic-integration.yaml")]) as runtime:
        error = runtime.invoke({**invocation, "inputs": []}).error
    assert error is not None
    assert (error.code, [detail.path for detail in error.details]) == (
        "invalid_invocation",
        ["/inputs"],
    )


def test_001_a_flow_is_not_run_and_the_hint_says_what_to_do(shell: Shell, samples: Path) -> None:
    """``jackfield run`` on an integration says that flows are not run, and how to use its
    connections (001, inputs of a step).
    """
    done = shell.run("run", str(samples / "prismatic-integration.yaml"))
    assert done.code == 2
    assert done.json["error"]["message"] == "the file has no workflow"
    assert "An integration's flows are not run" in done.json["error"]["hint"]


def test_001_the_connection_links_to_access_control_of_ses() -> None:
    """The description and the guide of the access key lead to AWS's page about permissions (001,
    AWS SES Access Key and Secret).
    """
    page = "https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html"
    kind = Catalog.installed().find("aws-ses").connection_types["apiKeySecret"]
    assert page in kind.description
    assert page in kind.setup


def test_inputs_within_the_connection_are_read(folder: Path) -> None:
    """Inputs may stand within ``connection``; those beside it go before them, and a fault names its
    place.
    """
    inner = {
        "component": COMPONENT,
        "key": "apiKeySecret",
        "inputs": {"accessKeyId": "inner", "secretAccessKey": "secret"},
    }
    variable = {
        "key": "mail",
        "dataType": "connection",
        "connection": inner,
        "inputs": {"accessKeyId": {"type": "value", "value": "outer"}},
    }
    document = {"requiredConfigVars": [variable]}
    found = connection(write(folder, "a.json", json.dumps(document)))
    assert found.values == {"accessKeyId": "outer", "secretAccessKey": "secret"}
    inner["inputs"] = {"accessKeyId": {"type": "configVar", "value": "x"}}
    assert "connection.inputs.accessKeyId: is a reference" in problem(
        write(folder, "a.json", json.dumps(document))
    )


def test_a_buffer_above_the_limit_in_a_mapping_is_told_with_the_way_out(
    samples: Path, aws: FakeAws
) -> None:
    """The bound holds for all Buffers together, whether the invocation is JSON or a mapping of
    Python, and for files as one JSON text.
    """
    half: dict[str, Any] = {"type": "Buffer", "data": [1] * (MAX_BUFFERED // 2 + 1)}
    files = [{"key": "a.bin", "value": half}, {"key": "b.bin", "value": {"data": half}}]
    for given in (files, json.dumps(files)):
        error = sent(aws, samples, {"attachments": given}).error
        assert error is not None
        assert (error.code, "at most 4 MiB" in str(error.hint)) == ("invalid_invocation", True)
    assert aws.messages == []


def test_a_buffer_above_the_limit_is_told_with_the_way_out() -> None:
    """Buffers of more than 4 MiB are refused with the limit, and with base64 and stored files as
    the way; other values are not.
    """
    text = json.dumps(
        [{"key": "a.pdf", "value": {"type": "Buffer", "data": [0] * (4 * 1024 * 1024 + 2)}}]
    )
    with pytest.raises(InvalidInvocation) as caught:
        decode(text)
    assert "at most 4 MiB" in str(caught.value.hint)
    assert "base64" in str(caught.value.hint)
    with pytest.raises(InvalidInvocation) as caught:
        decode(json.dumps([0] * 300_000))
    assert "4 MiB" not in str(caught.value.hint)
