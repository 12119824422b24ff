"""Dapr's secret store of Kubernetes by its API: a pod's service account reads Secrets that are not
mounted, over verified TLS.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_dapr.sidecars import bindings_of, component
from tests.jackfield_formats.foreign_files import connection, problem, write

from authority import Authority
from jackfield.testing import Answer, Provider, Request

pytestmark = pytest.mark.above_sql
TOKEN = "pod-token"


class KubernetesApi(Provider):
    """What the API server answers about Secrets: ``status`` for every request, or the Secrets of a
    namespace.
    """

    status = 200
    body: bytes | None = None

    def __init__(self, authority: Authority, names: tuple[str, ...] = ("127.0.0.1",)) -> None:
        super().__init__(self._secret, tls=authority.serving(*names))
        self.secrets: dict[tuple[str, str], dict[str, bytes]] = {}
        self.asked: list[tuple[str, str]] = []

    def _secret(self, _number: int, request: Request) -> Answer:
        """One Secret."""
        self.asked.append((request.path, request.header("Authorization")))
        parts = request.path.split("/")
        found = self.secrets.get((parts[4], parts[6]))
        data = {name: base64.b64encode(value).decode() for name, value in (found or {}).items()}
        status = self.status if found is not None or self.status != 200 else 404
        is_known = request.header("Authorization") == f"Bearer {TOKEN}"
        return Answer(
            {"kind": "Secret", "data": data}, status if is_known else 401, content=self.body
        )


@pytest.fixture(name="authority")
def _authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(name="api")
def _api(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KubernetesApi]:
    """A pod: the API server, and the files of its service account."""
    with KubernetesApi(authority) as server:
        server.secrets["mail", "ses"] = {"key": b"from-the-api"}
        account(tmp_path, server, authority, monkeypatch)
        yield server


def account(
    folder: Path,
    server: KubernetesApi,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    token: str = TOKEN,
) -> None:
    """The files and variables of a pod's service account."""
    place = folder / "account"
    place.mkdir(exist_ok=True)
    for name, text in (
        ("token", token),
        ("namespace", "mail"),
        ("ca.crt", authority.bundle.read_text()),
    ):
        (place / name).write_text(text)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    monkeypatch.setenv("JACKFIELD_KUBERNETES_ACCOUNT", str(place))
    monkeypatch.delenv("NAMESPACE", raising=False)


def referring(tail: str = "", key: str = "key") -> str:
    """A component whose secret key is in a Secret."""
    return (
        component(secretKey="")
        + f"  - {{name: secretKey, secretKeyRef: {{name: ses, key: {key}}}}}\n{tail}"
    )


@pytest.mark.parametrize("tail", ["", "auth: {secretStore: kubernetes}\n"])
def test_a_pod_s_account_reads_a_secret_of_its_namespace(
    folder: Path, api: KubernetesApi, tail: str
) -> None:
    """In a pod ``kubernetes`` is the store of a component that names none, and the API is asked
    with the account's token.
    """
    found = bindings_of(write(folder, "a.yaml", referring(tail)).parent)
    assert not found.problems
    assert found.connections["outbox"]["values"]["secretAccessKey"] == "from-the-api"
    assert api.asked == [("/api/v1/namespaces/mail/secrets/ses", f"Bearer {TOKEN}")]


def test_the_store_s_component_may_name_the_namespace(folder: Path, api: KubernetesApi) -> None:
    """``defaultNamespace`` is the namespace of the Secrets."""
    api.secrets["other", "ses"] = {"key": b"elsewhere"}
    own = (
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: k8s}\nspec: {type: "
        "secretstores.kubernetes, version: v1, "
    )
    own += "metadata: [{name: defaultNamespace, value: other}]}\n"
    write(folder, "a.yaml", f"{referring('auth: {secretStore: k8s}' + chr(10))}---\n{own}")
    assert bindings_of(folder).connections["outbox"]["values"]["secretAccessKey"] == "elsewhere"


def test_a_mounted_secret_goes_first(folder: Path, api: KubernetesApi, tmp_path: Path) -> None:
    """Where the operator names a folder of mounted Secrets, the API is not asked, even for what is
    missing there.
    """
    (tmp_path / "m" / "ses").mkdir(parents=True)
    (tmp_path / "m" / "ses" / "key").write_text("mounted")
    path = write(folder, "a.yaml", referring())
    assert (
        connection(path, JACKFIELD_KUBERNETES_SECRETS=str(tmp_path / "m")).values["secretAccessKey"]
        == "mounted"
    )
    assert "mount the Secret 'ses'" in problem(
        write(folder, "a.yaml", referring(key="none")),
        JACKFIELD_KUBERNETES_SECRETS=str(tmp_path / "m"),
    )
    assert not api.asked


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (
            403,
            b"{}",
            (
                "may not read the Secret 'ses' in the namespace 'mail': bind it to a Role with "
                "the verb 'get'"
            ),
        ),
        (404, b"{}", "there is no Secret 'ses' in the namespace 'mail'"),
        (500, b"{}", "HTTP status 500"),
        (200, b"<html>", "returned no Secret"),
        (200, b'{"data": {"other": "eA=="}}', "has no key 'key'; it has other"),
        (200, b'{"data": {"key": "/w=="}}', "is no text"),
        (200, b"[]", "returned no Secret"),
    ],
)
def test_what_the_api_does_not_return_stops_the_start(
    folder: Path, api: KubernetesApi, status: int, body: bytes, says: str
) -> None:
    """A Secret that cannot be read is an error with its cure, and the pod's own identity is not
    used for it.
    """
    api.status, api.body = status, body
    (told,) = bindings_of(write(folder, "a.yaml", referring()).parent).problems
    assert told.fatal
    assert says in told.text
    assert TOKEN not in told.text


def test_another_authority_s_server_gets_no_token(
    folder: Path, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate is verified, by its authority and its name, before the token is sent."""
    stranger = Authority(tmp_path, "Stranger")
    for issuer, names in ((stranger, ("127.0.0.1",)), (authority, ("kubernetes.example",))):
        with KubernetesApi(issuer, names) as server:
            account(tmp_path, server, authority, monkeypatch)
            (told,) = bindings_of(write(folder, "a.yaml", referring()).parent).problems
            assert "certificate of the Kubernetes API cannot be verified" in told.text
            assert not server.asked


def test_a_server_that_is_not_there_is_told(
    folder: Path, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An API that cannot be reached is named with its address."""
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    (told,) = bindings_of(write(folder, "a.yaml", referring()).parent).problems
    assert "the Kubernetes API at 127.0.0.1:1 cannot be reached" in told.text


def test_a_pod_without_an_account_needs_mounted_secrets(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token the error names the folder to mount the Secret in."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("JACKFIELD_KUBERNETES_ACCOUNT", str(tmp_path / "none"))
    (told,) = bindings_of(write(folder, "a.yaml", referring()).parent).problems
    assert "mount the Secret 'ses' at /etc/jackfield/secrets/ses" in told.text


def test_a_store_of_an_unknown_type_is_told_though_nothing_refers_to_it(folder: Path) -> None:
    """A secret store that nobody knows and nobody uses is named on the terminal; one that jackfield
    knows is not.
    """
    head = "apiVersion: dapr.io/v1alpha1\nkind: Component\n"
    azure = (
        f"{head}metadata: {{name: azure}}\nspec: {{type: secretstores.azure.keyvault, "
        f"version: v1}}\n"
    )
    aws = (
        f"{head}metadata: {{name: aws}}\nspec: {{type: secretstores.aws.secretmanager, "
        f"version: v1}}\n"
    )
    write(folder, "a.yaml", f"{component()}---\n{azure}---\n{aws}")
    (told,) = bindings_of(folder).problems
    assert not told.fatal
    assert told.text.startswith(
        "a.yaml, document 2: secret store 'azure': not used: jackfield does not know "
        "'secretstores.azure.keyvault'"
    )
