"""Dapr's component files as connections: every field, secrets, templates, scopes, and what is wrong
with a file.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
from tests.jackfield_dapr.sidecars import bindings_of, component, sidecar
from tests.jackfield_formats.foreign_files import connection, inputs, loaded, problem, write

from jackfield.connections.formats import Problem
from jackfield_dapr.sidecar import Components

DAPR = "apiVersion: dapr.io/v1alpha1\n"
HEAD = f"{DAPR}kind: Component\n"


def store(kind: str = "local.file", name: str = "vault", **metadata: str) -> str:
    """A secret store."""
    rows = ", ".join(
        f"{{name: {key}, value: {json.dumps(value)}}}" for key, value in metadata.items()
    )
    return (
        f"{HEAD}metadata: {{name: {name}}}\nspec: {{type: secretstores.{kind}, version: v1, "
        f"metadata: [{rows}]}}\n"
    )


def secret(reference: str, *, auth: str | None = "vault", name: str = "secretKey") -> str:
    """A component that refers to a secret."""
    tail = f"auth: {{secretStore: {auth}}}\n" if auth else ""
    return (
        component(secretKey="", **({} if name == "secretKey" else {name: ""}))
        + f"  - {{name: {name}, secretKeyRef: {reference}}}\n"
        + tail
    )


def fatal(folder: Path, **options: str) -> list[Problem]:
    """The problems because of which a sidecar would not start."""
    return [item for item in bindings_of(folder, **options).problems if item.fatal]  # type: ignore[arg-type]


def test_every_documented_field_has_its_place(samples: Path) -> None:
    """The document's component is a connection with keys, token and region, and default inputs for
    everything about mail.
    """
    found = connection(samples / "dapr-component.yaml")
    assert (found.name, found.type) == ("outbox", "aws/apiKeySecret")
    assert dict(found.values) == {
        "accessKeyId": "AKIDAPRSAMPLE",
        "secretAccessKey": "dapr-sample-secret",
        "sessionToken": "dapr-sample-session",
        "region": "eu-west-1",
        "sender": "ops@sender.test",
    }
    assert inputs(found) == {
        "to": ["desk@rcpt.test"],
        "cc": ["watch@rcpt.test"],
        "bcc": ["archive@rcpt.test"],
        "subject": "Nightly report",
    }


@pytest.mark.parametrize(
    ("metadata", "kind", "values"),
    [
        ({"accessKey": "", "secretKey": ""}, "aws/awsDefault", {"region": "eu-west-1"}),
        ({"secretKey": ""}, "aws/awsDefault", {"region": "eu-west-1"}),
        ({"secretKey": "", "sessionToken": "t"}, "aws/awsDefault", {"region": "eu-west-1"}),
        (
            {"assumeRoleArn": "arn:aws:iam::123456789012:role/x", "externalId": "e-1"},
            "aws/awsAssumeRole",
            {
                "roleARN": "arn:aws:iam::123456789012:role/x",
                "externalId": "e-1",
                "accessKeyId": "AKIDAPR",
                "secretAccessKey": "dapr-secret",
                "region": "eu-west-1",
            },
        ),
        (
            {
                "assumeRoleArn": "arn:aws:iam::123456789012:role/x",
                "accessKey": "",
                "endpoint": "http://localhost:1",
            },
            "aws/awsAssumeRole",
            {
                "roleARN": "arn:aws:iam::123456789012:role/x",
                "region": "eu-west-1",
                "endpoint": "http://localhost:1",
            },
        ),
    ],
)
def test_d13_fields_say_how_to_sign_in(
    folder: Path, metadata: dict[str, str], kind: str, values: dict[str, str]
) -> None:
    """Both keys are static ones, a role is assumed with or without them, and anything less is the
    machine's own identity.
    """
    found = connection(write(folder, "a.yaml", component(**metadata)))
    assert (found.type, dict(found.values)) == (kind, {**values, "sender": "ops@sender.test"})


def test_a_missing_region_is_that_of_the_environment(folder: Path) -> None:
    """Without a region the environment's counts, as it does for AWS's own tools."""
    path = write(folder, "a.yaml", component(region=""))
    assert (
        connection(path, AWS_REGION="eu-west-3", AWS_DEFAULT_REGION="us-west-2").values["region"]
        == "eu-west-3"
    )
    assert connection(path, AWS_DEFAULT_REGION="us-west-2").values["region"] == "us-west-2"
    assert "region" not in connection(path).values


def test_names_of_fields_count_whatever_their_case(folder: Path) -> None:
    """A field may be spelt in any case, but not twice."""
    assert (
        connection(write(folder, "a.yaml", component(region="", REGION="eu-west-2"))).values[
            "region"
        ]
        == "eu-west-2"
    )
    assert "'region' and 'REGION' are the same property" in problem(
        write(folder, "b.yaml", component(REGION="eu-west-2"))
    )


def test_values_may_be_any_scalar(folder: Path) -> None:
    """Numbers and booleans are texts, as in JSON."""
    text = component(subject="").replace(
        "  - {name: region",
        "  - {name: subject, value: 42}\n  - {name: x, value: true}\n  - {name: region",
    )
    assert inputs(connection(write(folder, "a.yaml", text)))["subject"] == "42"


ANYWHERE = {
    "trustAnchorArn": "arn:a",
    "trustProfileArn": "arn:p",
    "assumeRoleArn": "arn:r",
    "certificate": "C",
    "privateKeyPath": "k",
}


@pytest.mark.parametrize("field", [*ANYWHERE])
def test_roles_anywhere_without_a_certificate_is_refused_by_name(folder: Path, field: str) -> None:
    """What is missing is said, and the component does not fall back to other credentials."""
    told = problem(
        write(
            folder, "a.yaml", component(**{**ANYWHERE, field: "", "accessKey": "", "secretKey": ""})
        )
    )
    assert f"'{field}'" in told
    assert (
        "is missing: a sidecar of Dapr signs in to IAM Roles Anywhere by its own SPIFFE identity"
        in told
    )


def test_roles_anywhere_with_a_certificate_is_a_connection(folder: Path) -> None:
    """Certificate and key are values, secrets or files; the three ARNs are those of a sidecar."""
    found = connection(
        write(folder, "a.yaml", component(**{**ANYWHERE, "accessKey": "", "secretKey": ""}))
    )
    assert found.type == "aws/awsRolesAnywhere"
    assert found.values == {
        "trustAnchorArn": "arn:a",
        "profileArn": "arn:p",
        "roleARN": "arn:r",
        "certificate": "C",
        "privateKey": {"$file": "k"},
        "region": "eu-west-1",
        "sender": "ops@sender.test",
    }


# References


def test_secrets_come_from_a_file_whatever_the_order(samples: Path) -> None:
    """A store that stands behind the component, in another document, is opened first."""
    found = connection(
        samples / "dapr-secrets.yaml", DESK_ADDRESS="desk@rcpt.test", APP_ID="billing"
    )
    assert (found.values["accessKeyId"], found.values["secretAccessKey"]) == (
        "AKIDAPRFILE",
        "dapr-file-secret",
    )
    assert inputs(found)["to"] == ["desk@rcpt.test"]
    assert inputs(found)["subject"] == "Report billing"


@pytest.mark.parametrize(
    ("options", "content", "reference"),
    [
        ({}, {"a": "s"}, "{name: a}"),
        ({}, {"a": {"b": "s"}}, '{name: "a:b", key: "a:b"}'),
        ({}, {"a": {"b": "s"}}, "{name: a, key: b}"),
        ({"nestedSeparator": "."}, {"a": {"b": {"c": "s"}}}, "{name: a.b.c}"),
        ({"multiValued": "true"}, {"a": {"b": {"c": "s"}}}, '{name: a, key: "b:c"}'),
        ({"multiValued": "true"}, {"a": "s"}, "{name: a}"),
        ({}, {"list": ["x", "s"]}, '{name: "list:1"}'),
    ],
)
def test_secrets_of_files_are_found_by_name_and_key(
    folder: Path, options: dict[str, str], content: object, reference: str
) -> None:
    """Nested names are joined by the separator; a store of several values has a key for each."""
    write(folder, "secrets.json", json.dumps(content))
    path = write(
        folder, "a.yaml", f"{store(secretsFile='secrets.json', **options)}---\n{secret(reference)}"
    )
    assert connection(path).values["secretAccessKey"] == "s"


def test_secrets_of_the_environment_have_a_prefix(folder: Path) -> None:
    """A secret of the environment is a variable, whose only key is its name."""
    text = f"{store('local.env', prefix='MAIL_')}---\n{secret('{name: KEY}')}"
    assert connection(write(folder, "a.yaml", text), MAIL_KEY="s").values["secretAccessKey"] == "s"
    other = text.replace("{name: KEY}", "{name: KEY, key: other}")
    assert "has no secret 'KEY' with the key 'other'" in problem(
        write(folder, "b.yaml", other), MAIL_KEY="s"
    )


def test_a_value_goes_before_a_reference(folder: Path) -> None:
    """A variable is read only where there is no value."""
    text = component(emailTo="").replace(
        "  - {name: region",
        "  - {name: emailTo, value: v@rcpt.test, envRef: DESK}\n  - {name: region",
    )
    assert inputs(connection(write(folder, "a.yaml", text), DESK="e@rcpt.test"))["to"] == [
        "v@rcpt.test"
    ]


@pytest.mark.parametrize(
    "name", ["DAPR_API_TOKEN", "dapr_x", "APP_API_TOKEN", "JACKFIELD_X", "WITH SPACE", "OTHER"]
)
def test_the_sidecar_s_own_variables_are_not_read(
    folder: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A component may not read the sidecar's variables, nor, where a list allows some, others; the
    log says so.
    """
    text = component(emailTo="").replace(
        "  - {name: region",
        f"  - {{name: emailTo, envRef: {json.dumps(name)}}}\n  - {{name: region",
    )
    found = connection(
        write(folder, "a.yaml", text),
        **{name: "e@rcpt.test", "DAPR_ENV_KEYS": "DESK DAPR_API_TOKEN JACKFIELD_X"},
    )
    assert "to" not in inputs(found)
    assert "not allowed to read" in caplog.text
    assert "e@rcpt.test" not in caplog.text


@pytest.mark.parametrize("reference", ["{name: absent}", '{name: a, key: "x"}'])
def test_a_missing_secret_is_refused(folder: Path, reference: str) -> None:
    """A secret that is not in the store is an error that names both; the machine's identity never
    signs in for it.
    """
    write(folder, "secrets.json", '{"a": "s"}')
    text = problem(
        write(folder, "a.yaml", f"{store(secretsFile='secrets.json')}---\n{secret(reference)}")
    )
    assert "has no secret '" in text


def test_a_secret_without_a_store_is_refused(folder: Path) -> None:
    """Without auth.secretStore a reference cannot be resolved: an error, not the machine's
    identity.
    """
    assert "auth.secretStore: it must name the secret store" in problem(
        write(folder, "a.yaml", secret("{name: a}", auth=None))
    )


def test_d15_a_store_that_is_not_there_stops_the_start(folder: Path) -> None:
    """A named store that there is not is an error that names the store and the component."""
    write(folder, "a.yaml", secret("{name: a}", auth="nowhere"))
    (found,) = fatal(folder)
    assert (
        found.text
        == "a.yaml: component 'outbox': auth.secretStore: no secret store is named 'nowhere'"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (store(secretsFile="nowhere.json"), "secretsFile 'nowhere.json': it cannot be read"),
        (store(), "'secretsFile' must be the path"),
        (store("azure.keyvault"), "the secret store 'secretstores.azure.keyvault' is not known"),
        (store(secretsFile="broken.json"), "secretsFile 'broken.json': it is not JSON"),
        (store(secretsFile="list.json"), "secretsFile 'list.json': it must contain an object"),
    ],
)
def test_a_store_that_cannot_be_opened_stops_the_start(folder: Path, text: str, says: str) -> None:
    """What is wrong with a secret store is said of the store, too."""
    write(folder, "broken.json", "{")
    write(folder, "list.json", "[]")
    write(folder, "a.yaml", f"{text}---\n{secret('{name: a}')}")
    assert says in fatal(folder)[0].text


# Templates


def test_templates_are_filled_in(folder: Path) -> None:
    """Application, namespace, pod and a random id stand in values; the id is another one each
    time.
    """
    path = write(folder, "a.yaml", component(subject="{appID} {namespace} {podName} {uuid}"))
    environment = {"APP_ID": "billing", "NAMESPACE": "prod", "POD_NAME": "pod-1"}
    first, second = (str(inputs(connection(path, **environment))["subject"]) for _ in range(2))
    assert re.fullmatch("billing prod.billing pod-1 [0-9a-f-]{36}", first)
    assert first != second


def test_a_pod_s_name_must_be_known(folder: Path) -> None:
    """A template that cannot be filled in is an error of the component."""
    assert "'{podName}' needs the environment variable POD_NAME" in problem(
        write(folder, "a.yaml", component(subject="{podName}"))
    )


# Which components there are


def test_scopes_count_only_where_the_application_is_known(folder: Path) -> None:
    """As a connection file, a component is read whatever its scopes; a sidecar keeps to them."""
    path = write(folder, "a.yaml", component(scopes="billing, orders"))
    assert connection(path).name == "outbox"
    assert set(bindings_of(folder, app_id="orders").by_name) == {"outbox"}
    assert set(bindings_of(folder, app_id="other").by_name) == set()


def test_components_of_other_namespaces_are_not_there(folder: Path) -> None:
    """Where the sidecar has a namespace, components of others are not read."""
    path = write(
        folder, "a.yaml", component().replace("{name: outbox}", "{name: outbox, namespace: test}")
    )
    assert loaded(path, NAMESPACE="prod").files() == []
    assert connection(path, NAMESPACE="test").name == "outbox"


def test_d17_a_name_may_be_used_once(folder: Path) -> None:
    """A second component of one name stops the start, naming both places."""
    write(folder, "a.yaml", f"{component()}---\n{component('other')}---\n{component()}")
    (found,) = fatal(folder)
    assert found.text == (
        "a.yaml, document 3: metadata.name: the component 'outbox' is defined already, "
        "in a.yaml, document 1"
    )


def test_names_that_differ_in_odd_characters_only_are_refused(folder: Path) -> None:
    """Two components whose names would be the same connection cannot be told apart; one of them is
    usable under its own name.
    """
    write(folder, "a.yaml", f"{component('my box')}---\n{component('my-box')}")
    found = bindings_of(folder)
    assert set(found.by_name) == {"my box"}
    assert "another component has almost the same name" in str(found.problems[0])


def test_a_component_may_be_missing_if_it_says_so(folder: Path) -> None:
    """With ignoreErrors a component that cannot be read stops nothing."""
    text = component(trustAnchorArn="arn:x").replace(
        "  version: v1\n", "  version: v1\n  ignoreErrors: true\n"
    )
    write(folder, "a.yaml", text)
    assert fatal(folder) == []
    assert len(bindings_of(folder).problems) == 1


def test_a_folder_has_its_yaml_files_only(folder: Path) -> None:
    """Other files and sub-folders are not read; documents of other kinds belong to Dapr and not to
    us, and are named.
    """
    write(folder, "notes.txt", "not: [yaml")
    write(folder, "secrets.json", "{}")
    (folder / "sub").mkdir()
    write(folder / "sub", "b.yaml", component("inner"))
    write(folder, "a.YML", component())
    write(
        folder,
        "other.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\nspec: "
        "{}\n---\n# nothing\n",
    )
    found = bindings_of(folder)
    assert set(found.by_name) == {"outbox"}
    assert [item.text for item in found.problems] == [
        "other.yaml, document 1: the Configuration 'c' is not used: only components are"
    ]


# What is wrong


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "apiVersion: dapr.io/v2\nkind: Component\nmetadata: {name: x}\nspec: {type: t}\n",
            "apiVersion: must be 'dapr.io/v1alpha1', not 'dapr.io/v2'",
        ),
        (
            "apiVersion: dapr.io/v1alpha1\nkind: Komponent\n",
            "kind: must be 'Component', not 'Komponent'",
        ),
        (HEAD, "metadata: must be an object, not nothing"),
        (f"{HEAD}metadata: {{}}\nspec: {{}}\n", "metadata.name: must be a string, not nothing"),
        (
            f"{HEAD}metadata: {{name: 5}}\nspec: {{}}\n",
            "metadata.name: must be a string, not a number",
        ),
        (f"{HEAD}metadata: {{name: x}}\nspec: []\n", "spec: must be an object, not a list"),
        (
            f"{HEAD}metadata: {{name: x}}\nspec: {{type: ''}}\n",
            "spec.type: must be a string, not an empty one",
        ),
        (
            f"{HEAD}metadata: {{name: x}}\nspec: {{type: t, metadata: {{a: b}}}}\n",
            "spec.metadata: must be a list",
        ),
        (
            f"{HEAD}metadata: {{name: x}}\nspec: {{type: t, metadata: [a]}}\n",
            "spec.metadata[0]: must be an object with 'name' and 'value', not a text",
        ),
        (
            f"{HEAD}metadata: {{name: x}}\nspec: {{type: t, metadata: [{{value: v}}]}}\n",
            "spec.metadata[0].name: must be a string",
        ),
        (
            (
                f"{HEAD}metadata: {{name: x}}\nspec: {{type: t, metadata: [{{name: a, value: "
                f"{{}}}}]}}\n"
            ),
            "spec.metadata[0].value: must be a string, a number or a boolean, not an object",
        ),
        (
            (
                f"{HEAD}metadata: {{name: x}}\nspec: {{type: t, metadata: [{{name: a, value: "
                f"1}}, {{name: a, value: 2}}]}}\n"
            ),
            "spec.metadata[1].name: 'a' is given already",
        ),
        (
            (
                f"{HEAD}metadata: {{name: x}}\nspec: {{type: t, metadata: [{{name: a, "
                f"secretKeyRef: k}}]}}\n"
            ),
            "spec.metadata[0].secretKeyRef: must be an object, not a text",
        ),
        (
            f"{HEAD}metadata: {{name: x}}\nspec: {{type: t, metadata: [{{name: a, envRef: 5}}]}}\n",
            "spec.metadata[0].envRef: must be a string, not a number",
        ),
        (
            f"{HEAD}metadata: {{name: x}}\nspec: {{type: t}}\nscopes: one\n",
            "scopes: must be a list of app IDs, not a text",
        ),
        (
            f"{HEAD}metadata: {{name: x}}\nspec: {{type: t}}\nscopes: [1]\n",
            "scopes[0]: must be an app ID, not a number",
        ),
        (f"{HEAD}metadata: {{name: x}}\nspec: {{type: t}}\nauth: on\n", "auth: must be an object"),
        (
            f"{HEAD}metadata: {{name: x}}\nspec: {{type: state.redis}}\n",
            (
                "component 'x': spec.type: no installed connector supports 'state.redis'; known: "
                "bindings.aws.dynamodb, "
            ),
        ),
    ],
)
def test_a_fault_names_file_document_and_field(folder: Path, text: str, says: str) -> None:
    """Each fault is told with its file, document and field; the documents around it are read."""
    path = write(folder, "a.yaml", f"{component('first')}---\n{text}---\n{component('last')}")
    found = loaded(path)
    assert [item.name for item in found.files()] == ["first", "last"]
    assert found.problems[0].startswith("a.yaml, document 2: ")
    assert says in found.problems[0]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (
            "*****************",
            (
                "a.yaml: it is not YAML: a placeholder of asterisks is in place of the value at "
                "line 9, column 31"
            ),
        ),
        ('"*****"', "'accessKey' is still the placeholder *****: replace it by the value"),
        (
            "<your-access-key-id>",
            "'accessKey' is still the placeholder <your-access-key-id>: replace it by the value",
        ),
    ],
)
def test_a_placeholder_is_named_as_one(folder: Path, value: str, says: str) -> None:
    """The document's example, pasted as it stands, says that its values are placeholders; none of
    them is used.
    """
    write(folder, "a.yaml", component().replace('"AKIDAPR"', value))
    found = Components((str(folder),)).read({})
    assert found.by_name == {}
    assert says in found.problems[0].text


def test_an_address_in_angle_brackets_is_no_placeholder(folder: Path) -> None:
    """An address may stand in angle brackets."""
    assert (
        connection(write(folder, "a.yaml", component(emailFrom="<ops@sender.test>"))).values[
            "sender"
        ]
        == "<ops@sender.test>"
    )


def test_a_missing_region_is_told_at_the_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no source has a region, the start says so in the component's own word, and names the
    variables that may have one.
    """
    write(folder, "a.yaml", component(region=""))
    (found,) = bindings_of(folder).problems
    told = (
        "a.yaml: component 'outbox': 'region' is missing, and AWS_REGION or "
        "AWS_DEFAULT_REGION is not set: its calls will be refused"
    )
    assert (found.text, found.fatal) == (told, False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert bindings_of(folder).problems == ()


@pytest.mark.parametrize(
    ("version", "there"), [("v1", True), ("V1", True), ("v0", True), ("v2", False), ("1", False)]
)
def test_only_the_first_version_is_there(folder: Path, version: str, there: bool) -> None:
    """A sidecar knows bindings.aws.ses in version v1 (and takes v0 for it); with another one it
    does not start.
    """
    write(folder, "a.yaml", component().replace("version: v1", f"version: '{version}'"))
    found = bindings_of(folder)
    assert bool(found.by_name) is there
    assert [(item.text, item.fatal) for item in found.problems] == (
        []
        if there
        else [
            (
                (
                    "a.yaml: component 'outbox': spec.version: 'bindings.aws.ses' has no "
                    f"version '{version}'; it has v1"
                ),
                True,
            )
        ]
    )


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "r.yaml",
            (
                "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {name: r}\nspec: "
                "{policies: {circuitBreakers: {c: {}}}}\n"
            ),
            "r.yaml: Resiliency 'r': not used: spec.policies.circuitBreakers",
        ),
        (
            "c.yaml",
            "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nspec: {}\n",
            "c.yaml: the Configuration is not used: only components are",
        ),
        (
            "l.yaml",
            "apiVersion: v1\nkind: List\nitems: []\n",
            "l.yaml: kind: a 'List', as kubectl prints it, is not read",
        ),
        (
            "k.yaml",
            f"{DAPR}kind: Komponent\n",
            "k.yaml: kind: must be 'Component', not 'Komponent'",
        ),
        (
            "j.json",
            '{"apiVersion": "dapr.io/v1alpha1", "kind": "Component"}',
            "j.json: the component is not read",
        ),
    ],
)
def test_every_document_that_is_passed_over_is_told(
    folder: Path, name: str, text: str, says: str
) -> None:
    """What lies in the folder and does nothing is named, with its file; the component beside it is
    served.
    """
    write(folder, "a.yaml", component())
    write(folder, "notes.txt", "kind: Component")
    write(folder, "secrets.json", '{"kind": "x"}')
    write(folder, name, text)
    found = Components((str(folder),)).read({})
    assert set(found.by_name) == {"outbox"}
    (told,) = found.problems
    assert says in told.text
    assert not told.fatal


def test_a_fault_tells_no_value(folder: Path) -> None:
    """No fault quotes what may be a secret."""
    text = (
        f"{HEAD}metadata: {{name: x}}\nspec: {{type: t, metadata: [{{name: accessKey, value: "
        f"[hush]}}, hush]}}\n"
    )
    assert "hush" not in problem(write(folder, "a.yaml", text))


def test_a_component_works_under_any_name(folder: Path, aws: object) -> None:
    """A binding is called by the component's own name, whatever its characters."""
    write(folder, "a.yaml", component('"my box/1"'))
    with sidecar(folder) as running:
        assert running.send(name="my%20box%2F1").status == 204


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    """Have warnings of this package captured."""
    caplog.set_level(logging.INFO, "jackfield.connections")


def test_f6_a_reason_is_told_once() -> None:
    """Dapr's message does not repeat a detail without a place, and has no blank where the place
    would be.
    """
    from jackfield import Result
    from jackfield.invocation import Meta
    from jackfield.kernel.errors import Detail, InvalidConnection
    from jackfield_dapr.sidecar.calls import reason

    text = "this machine has no AWS identity of its own"
    error = InvalidConnection(
        text,
        details=[Detail("", text), Detail("/region", "is missing"), Detail("", "see the guide")],
    )
    assert (
        reason(Result("failed", Meta("x"), error=error))
        == f"invalid_connection: {text} (/region is missing; see the guide)"
    )
