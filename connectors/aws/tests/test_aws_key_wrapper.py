"""Data keys wrapped by AWS KMS, with moto's KMS."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from importlib.metadata import entry_points
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError

from jackfield.kernel.errors import Forbidden, JackfieldError, Rejected, Unavailable
from jackfield_aws.key_wrapper import SCHEME, KmsKey
from jackfield_store.database import Database, DataKeyDamaged, open_database
from jackfield_store.database.faults import DatabaseUnfit, KeyServiceUnavailable
from jackfield_store.keys import MasterKey, Vault
from jackfield_store.keys.key_ring import KeyRing
from jackfield_store.keys.key_wrappers import KeyServices
from moto_server import moto_server
from ports import free_port

PLACE = {"installation": "i", "workspace": "w", "key": "aa"}
KEY = b"k" * 32
REGION = "eu-central-1"
PATIENT = {"JACKFIELD_KEY_SERVICE_SECONDS": "30"}


class Kms:
    """Keys of an account."""

    def __init__(self, url: str) -> None:
        self.url = url

    def client(self, region: str = REGION) -> object:
        """An administrator's client."""
        return boto3.Session("AKIASETUP", "setup", region_name=region).client(
            "kms", endpoint_url=self.url
        )

    def made(self, region: str = REGION) -> str:
        """The URI of a new key."""
        return SCHEME + str(self.client(region).create_key()["KeyMetadata"]["Arn"])  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def kms() -> Iterator[Kms]:
    """An account."""
    with moto_server() as url:
        yield Kms(url)


@pytest.fixture
def _host(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "AWS_ACCESS_KEY_ID": "AKIAHOST",
        "AWS_SECRET_ACCESS_KEY": "host-secret",
        "AWS_ENDPOINT_URL": kms.url,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def database() -> Iterator[Database]:
    """A database in memory."""
    with open_database("sqlite://") as opened:
        yield opened


pytestmark = pytest.mark.usefixtures("_host")


def test_kms_wraps_for_one_place(kms: Kms) -> None:
    """What KMS wrapped for a data key of a workspace and an installation is unwrapped for that
    alone, by that key alone.
    """
    first, second = KmsKey(kms.made(), PATIENT), KmsKey(kms.made(), PATIENT)
    wrapped = first.wrap(PLACE, KEY)
    assert KEY not in wrapped
    assert first.unwrap(PLACE, wrapped) == KEY
    for name in PLACE:
        with pytest.raises(Rejected):
            first.unwrap({**PLACE, name: "x"}, wrapped)
    with pytest.raises(Rejected):
        first.unwrap(PLACE, wrapped[:-1] + bytes([wrapped[-1] ^ 1]))
    assert first.unwrap(PLACE, wrapped) == KEY
    moved = second.rewrap(PLACE, wrapped, first.id)
    assert moved is not None
    assert second.unwrap(PLACE, moved) == KEY
    with pytest.raises(Rejected):
        second.rewrap({**PLACE, "workspace": "x"}, wrapped, first.id)
    for source in (
        KmsKey(kms.made("eu-west-1"), PATIENT).id,
        "vault-transit://transit/key",
        "1a2b3c4d",
    ):
        assert second.rewrap(PLACE, wrapped, source) is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("DisabledException", Forbidden),
        ("AccessDeniedException", Forbidden),
        ("KMSInvalidStateException", Forbidden),
        ("IncorrectKeyException", Rejected),
        ("KMSInternalException", Unavailable),
        ("ThrottlingException", Unavailable),
    ],
)
def test_what_kms_answers(
    kms: Kms, monkeypatch: pytest.MonkeyPatch, code: str, kind: type[JackfieldError]
) -> None:
    """A key that may not be used is a refusal with KMS's code; a KMS that is out of order or
    throttles is none.
    """
    key = KmsKey(kms.made(), PATIENT)

    def refuse(**_: object) -> None:
        raise ClientError(
            {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "Decrypt"
        )

    monkeypatch.setattr(key, "_opened", lambda: SimpleNamespace(decrypt=refuse))
    with pytest.raises(kind, match=f"AWS KMS answers {code}"):
        key.unwrap(PLACE, b"x")


def test_kms_that_gives_no_answer(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that does not exist is a refusal; a KMS that cannot be reached is none."""
    uri = kms.made()
    with pytest.raises(Forbidden, match="NotFoundException"):
        KmsKey(f"{uri[:-36]}{uuid.UUID(int=0)}", PATIENT).wrap(PLACE, KEY)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable):
        KmsKey(uri, PATIENT).wrap(PLACE, KEY)


@pytest.mark.parametrize(
    "wrong",
    [
        "aws-kms://",
        "aws-kms://alias/jackfield",
        "aws-kms://arn:aws:kms:eu-central-1:123456789012:alias/x",
    ],
)
def test_the_uri_names_a_key(wrong: str) -> None:
    """A URI without the ARN of a key is refused, also that of an alias, which could name another
    key tomorrow.
    """
    with pytest.raises(DatabaseUnfit, match="must be aws-kms:// and the ARN of a key"):
        KeyServices({}).open(wrong)


def test_a_vault_moves_to_kms(kms: Kms, database: Database) -> None:
    """A rotation moves data keys from a file to KMS and to another key of it; and a row that was
    moved is refused.
    """
    master = MasterKey.generate()
    sealed = Vault(database, master).seal("w", ("x",), KEY)
    services = KeyServices({**os.environ, **PATIENT})
    first, second = services.open(kms.made()), services.open(kms.made())
    assert Vault(database, KeyRing([first, master], services.open)).rotate().count == 1
    vault = Vault(database, KeyRing([second, first], services.open))
    assert vault.rotate().count == 1
    assert vault.open("w", ("x",), sealed) == KEY
    with database.write() as transaction:
        transaction.change("UPDATE data_keys SET workspace = 'x'")
    with pytest.raises(DataKeyDamaged):
        vault.open("x", ("x",), sealed)


def test_a_vault_without_kms(kms: Kms, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a service that cannot be reached names the key; what is cached is used on."""
    uri = kms.made()
    services = KeyServices({**os.environ, **PATIENT})
    vault = Vault(database, services.open(uri))
    sealed = vault.seal("w", ("x",), KEY)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    down = Vault(database, KeyServices({**os.environ, **PATIENT}).open(uri))
    with pytest.raises(
        KeyServiceUnavailable, match=f"'{uri}' cannot be reached: AWS KMS in {REGION}"
    ):
        down.open("w", ("x",), sealed)
    assert vault.open("w", ("x",), sealed) == KEY


def test_the_package_declares_its_wrapper() -> None:
    """The runtime finds the wrapper by its scheme, and imports nothing of AWS otherwise."""
    (point,) = entry_points(group="jackfield.key_wrappers", name="aws-kms")
    assert point.load() is KmsKey
