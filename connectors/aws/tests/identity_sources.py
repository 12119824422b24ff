"""Sources of a machine's AWS identity, and Amazon SES beside them, at one port; a mood makes the
sources fail.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from botocore.utils import generate_login_cache_key
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from jackfield_market.testing.loopback_provider import RESET, Answer, Provider, Request, Step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = "arn:aws:iam::123456789012:role/machine"
MOODS = ("fault", "reset", "silence", "garbage", "denial", "expiry")
_SENT = "SES"
_TOKEN = "e30.eyJpc3MiOiJodHRwczovL29pZGMuZXhhbXBsZS5jb20vaWQvNyIsInN1YiI6InN5c3RlbTpzYSIsImF1ZCI6WyJzdHMiXX0.c2ln"
_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_PAST = "2020-01-01T00:00:00Z"
_PROCESS = """#!/bin/sh
mood=$(cat '{folder}/mood')
case "$mood" in
  fault) echo 'An error occurred (500)' >&2; exit 254;;
  reset) kill -9 $$;;
  silence) cat '{folder}/silence' & wait;;
  garbage) echo '<html>oops'; exit 0;;
  denial) echo 'AccessDenied: no' >&2; exit 255;;
  expiry) expires=2020-01-01T00:00:00Z;;
  *) expires={expires};;
esac
echo '{{"Version": 1, "AccessKeyId": "ASIAPROCESS", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "'$expires'"}}'
"""


class Stand:
    """The sources. ``mood`` is one of MOODS, or empty while all are well; ``refusal`` is STS's code
    and message of a denial.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.refusal = (
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            403,
        )
        self.asked: Counter[str] = Counter()
        self.changed = threading.Condition()
        self.life = 3600.0
        self.well = threading.Event()
        self.well.set()
        self.port = 0
        self._mood = ""
        self.mood = ""

    @property
    def url(self) -> str:
        """Address of everything."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def mood(self) -> str:
        """How the sources fail."""
        return self._mood

    @mood.setter
    def mood(self, mood: str) -> None:
        self._mood = mood
        (self.folder / "mood").write_text(mood)
        if mood == "silence":
            self.well.clear()
        else:
            self.well.set()

    def note(self, name: str) -> None:
        """Count a request."""
        with self.changed:
            self.asked[name] += 1
            self.changed.notify_all()

    def wait_until_asked(self, name: str, times: int = 1) -> bool:
        """Wait for a request."""
        with self.changed:
            return self.changed.wait_for(lambda: self.asked[name] >= times, 60)

    @property
    def sent(self) -> int:
        """Number of requests to Amazon SES."""
        return self.asked[_SENT]

    @property
    def expires(self) -> datetime:
        """Expiry of credentials that are given now."""
        life = -3600.0 if self.mood == "expiry" else self.life
        return datetime.now(UTC) + timedelta(seconds=life)


@contextmanager
def identity_stand(folder: Path) -> Iterator[Stand]:
    """Serve the sources, and write their token, cache and process into ``folder``."""
    stand = Stand(folder)
    with Provider(_Sources(stand), keeps=True) as provider:
        stand.port = provider.port
        try:
            yield stand
        finally:
            stand.well.set()


class _Sources:
    """Script of the sources: they answer as the mood wants it."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand

    def __call__(self, _number: int, request: Request) -> Step:
        """Answer a request."""
        name, good = self._route(request.path, parse_qs(request.body.decode("latin-1")))
        self.stand.note(name)
        mood = "" if name in (_SENT, "other") else self.stand.mood
        if mood == "silence":
            self.stand.well.wait(120)
        if mood == "reset":
            return RESET
        status, content = (
            (200, good) if mood in ("", "silence", "expiry") else self._bad(mood, name)
        )
        # AWS names each answer, and an endpoint on this port may have done so before
        return Answer(status=status, content=content, headers={"x-amzn-RequestId": "r-1"})

    def _bad(self, mood: str, name: str) -> tuple[int, bytes]:
        if mood == "garbage":
            return 200, b"\x00\xff<nonsense"
        if mood == "fault":
            return (
                500,
                b"<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>",
            )
        code, message, status = self.stand.refusal
        if name.startswith("sts:"):
            text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
            return status, text.encode()
        if name.startswith("signin:"):
            return (
                400,
                (
                    b'{"__type": "AccessDeniedException", "error": "TOKEN_EXPIRED", "message": '
                    b'"the session has ended"}'
                ),
            )
        if name.startswith("sso:"):
            return 403, json.dumps(
                {"__type": "ForbiddenException", "message": "No access"}
            ).encode()
        return 403, b'{"code": "AccessDenied", "message": "no role"}'

    def _route(self, target: str, form: dict[str, list[str]]) -> tuple[str, bytes]:
        path, expires = target.partition("?")[0], self.stand.expires
        iso = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
        if "Action" in form:
            action = form["Action"][0]
            return f"sts:{action}", _session(action, iso)
        keys = {
            "AccessKeyId": "ASIAMACHINE",
            "SecretAccessKey": "s",
            "Token": "t",
            "Expiration": iso,
        }
        sso = {
            "accessKeyId": "ASIASSO",
            "secretAccessKey": "s",
            "sessionToken": "t",
            "expiration": int(expires.timestamp() * 1000),
        }
        found: dict[str, tuple[str, Any]] = {
            "/federation/credentials": ("sso:GetRoleCredentials", {"roleCredentials": sso}),
            "/v1/token": ("signin:CreateOAuth2Token", _login(expires)),
            "/token": (
                "sso:CreateToken",
                {"accessToken": "a", "expiresIn": 3600, "tokenType": "Bearer"},
            ),
            "/latest/api/token": ("imds:token", "token"),
            "/latest/meta-data/iam/security-credentials/": ("imds:role", "machine"),
            "/latest/meta-data/iam/security-credentials/machine": (
                "imds:credentials",
                {"Code": "Success", **keys},
            ),
            "/container": ("container", keys),
        }
        name, content = found.get(
            path, (_SENT if path.endswith("outbound-emails") else "other", {"MessageId": "m-1"})
        )
        return name, (content if isinstance(content, str) else json.dumps(content)).encode()


def _login(expires: datetime) -> dict[str, Any]:
    keys = {"accessKeyId": "ASIALOGIN", "secretAccessKey": "s", "sessionToken": "t"}
    seconds = int((expires - datetime.now(UTC)).total_seconds())
    return {
        "accessToken": keys,
        "tokenType": "urn:aws:params:oauth:token-type:access_token_sigv4",
        "expiresIn": seconds,
        "refreshToken": "r2",
    }


class CrtKeys:
    """Stands in for ``awscrt.crypto.EC``, which ``pip install botocore[crt]`` brings: a key of
    P-256, and its signatures.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def new_key_from_der_data(cls, data: bytes) -> CrtKeys:
        """Read a private key."""
        key = load_der_private_key(data, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError
        return cls(key)

    def get_public_coords(self) -> tuple[bytes, bytes]:
        """Return the public point."""
        point = self._key.public_key().public_numbers()
        return point.x.to_bytes(32), point.y.to_bytes(32)

    def sign(self, digest: bytes) -> bytes:
        """Sign a digest."""
        return self._key.sign(digest, ec.ECDSA(Prehashed(SHA256())))

    @staticmethod
    def decode_der_signature_to_padded_pair(signature: bytes, pad_to: int) -> bytes:
        """Return the two numbers of a signature."""
        return b"".join(number.to_bytes(pad_to) for number in decode_dss_signature(signature))


def _session(action: str, expires: str) -> bytes:
    keys = (
        "<Credentials><AccessKeyId>ASIASTS</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        f"<Expiration>{expires}</Expiration></Credentials>"
    )
    user = "<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/machine/x</Arn><AssumedRoleId>x</AssumedRoleId></AssumedRoleUser>"
    return (
        f"<{action}Response "
        f'xmlns="{_STS}"><{action}Result>{keys}{user}</{action}Result></{action}Response>'
    ).encode()


SOURCES = (
    "web identity",
    "web identity of a profile",
    "role",
    "role of a container",
    "role of an instance",
    "role of a process",
    "role of a web identity",
    "sso",
    "sso session",
    "sso sign-in",
    "container",
    "instance",
    "process",
    "login",
    "role of a login",
    "role of an sso",
)
VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_LOGIN_CACHE_DIRECTORY",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_CREDENTIAL_EXPIRATION",
)


def environment_of(source: str, stand: Stand, **settings: str) -> dict[str, str]:
    """Write the configuration of a source, with further settings of its profile, and return the
    variables that it needs.
    """
    folder = stand.folder
    (folder / "token").write_text(
        "e30.eyJpc3MiOiJodHRwczovL29pZGMuZXhhbXBsZS5jb20vaWQvNyIsInN1YiI6InN5c3RlbTpzYSIsImF1ZCI6WyJzdHMiXX0.c2ln"
    )
    process = folder / "process.sh"
    process.write_text(
        _PROCESS.format(folder=folder, expires=stand.expires.strftime("%Y-%m-%dT%H:%M:%SZ"))
    )
    token = f"web_identity_token_file = {folder}/token\nrole_arn = {ROLE}\n"
    run = f"credential_process = /bin/sh {process}\n"
    sso = (
        "sso_account_id = 123456789012\nsso_role_name = r\nsso_region = "
        f"eu-west-1\nsso_start_url = {stand.url}/start\n"
    )
    keys = "aws_access_key_id = AKIASOURCE\naws_secret_access_key = s\n"
    session = (
        "sso_account_id = 123456789012\nsso_role_name = r\nsso_session = s\n"
        f"[sso-session s]\nsso_region = eu-west-1\nsso_start_url = {stand.url}/start\n"
    )
    profiles = {
        "web identity of a profile": token,
        "role": f"role_arn = {ROLE}\nsource_profile = base\n[profile base]\n{keys}",
        "role of a container": f"role_arn = {ROLE}\ncredential_source = EcsContainer\n",
        "role of an instance": f"role_arn = {ROLE}\ncredential_source = Ec2InstanceMetadata\n",
        "role of a process": f"role_arn = {ROLE}\nsource_profile = base\n[profile base]\n{run}",
        "role of a web identity": f"role_arn = {ROLE}2\nsource_profile = base\n[profile base]\n{token}",
        "sso": sso,
        "sso session": session,
        "sso sign-in": session,
        "process": run,
        "login": "login_session = ada\n",
        "role of a login": f"role_arn = {ROLE}\nsource_profile = base\n[profile base]\nlogin_session = ada\n",
        "role of an sso": f"role_arn = {ROLE}\nsource_profile = base\n[profile base]\n{sso}",
    }
    extra = "".join(f"{name} = {value}\n" for name, value in settings.items())
    (folder / "config").write_text(f"[default]\n{extra}{profiles.get(source, '')}")
    found = {
        "AWS_ENDPOINT_URL": stand.url,
        "AWS_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": f"{folder}/config",
    }
    found |= {
        "AWS_SHARED_CREDENTIALS_FILE": f"{folder}/credentials",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": stand.url,
    }
    if source == "web identity":
        found |= {"AWS_WEB_IDENTITY_TOKEN_FILE": f"{folder}/token", "AWS_ROLE_ARN": ROLE}
    if source in ("container", "role of a container"):
        found |= {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{stand.url}/container"}
    if source not in ("instance", "role of an instance"):
        found |= {"AWS_EC2_METADATA_DISABLED": "true"}
    if "login" in source:
        found |= {"AWS_LOGIN_CACHE_DIRECTORY": str(folder)}
        _log_in(folder)
    if "sso" in source:
        _sign_in(folder, stand, over=source == "sso sign-in")
    return found


def _log_in(folder: Path) -> None:
    """Write the cached session of ``aws login``, whose keys have expired."""
    key = (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        .decode()
    )
    old = {
        "accessKeyId": "ASIAOLD",
        "secretAccessKey": "s",
        "sessionToken": "t",
        "accountId": "123456789012",
        "expiresAt": _PAST,
    }
    told = {
        "accessToken": old,
        "refreshToken": "r",
        "dpopKey": key,
        "clientId": "arn:aws:signin:::devtools/same-device",
    }
    (folder / f"{generate_login_cache_key('ada')}.json").write_text(json.dumps(told))


def _sign_in(folder: Path, stand: Stand, *, over: bool) -> None:
    """Write the cached sign-ins of both forms."""
    at = datetime.now(UTC) + timedelta(hours=-1 if over else 8)
    later = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    told: dict[str, Any] = {
        "accessToken": "a",
        "expiresAt": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "startUrl": f"{stand.url}/start",
        "region": "eu-west-1",
        "clientId": "c",
        "clientSecret": "s",
        "refreshToken": "r",
        "registrationExpiresAt": later,
    }
    for name in (f"{stand.url}/start", "s"):
        (folder / f"{sha1(name.encode(), usedforsecurity=False).hexdigest()}.json").write_text(
            json.dumps(told)
        )
