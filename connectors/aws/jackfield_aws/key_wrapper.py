"""Data keys wrapped by AWS KMS: ``aws-kms://arn:aws:kms:REGION:ACCOUNT:key/ID``.

The installation, the workspace and the data key are the encryption context, which KMS
authenticates, logs in CloudTrail, and offers to key policies
(``kms:EncryptionContext:jackfield:workspace``). KMS is called with this machine's identity. Source:
KMS API reference, Encrypt, Decrypt and ReEncrypt.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from jackfield.connector import Deadline, Forbidden, JackfieldError, Rejected, Unavailable
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.secrecy import SecretHolder
from jackfield_aws.endpoints import service_endpoint
from jackfield_aws.limits import within
from jackfield_aws.sessions import Ambient, ClientSpec, find_keys

SCHEME = "aws-kms://"
_ARN = re.compile(r"arn:aws(?:-[a-z]+){0,2}:kms:([a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]+")
_NOT_OURS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_OUT_OF_ORDER = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        "ThrottlingException",
        "LimitExceededException",
        "RequestTimeout",
        "InternalFailure",
        "ServiceUnavailable",
    }
)
_SERVER_FAULT = 500


class KmsKey(ProcessLocal, SecretHolder):
    """Symmetric key of KMS, named by its ARN, since an alias could be moved to another key, which
    could not decrypt.
    """

    def __init__(self, uri: str, environment: Mapping[str, str]) -> None:
        found = _ARN.fullmatch(uri.removeprefix(SCHEME))
        if found is None:
            raise ValueError(
                f"it must be {SCHEME} and the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID"
            )
        self.id = uri
        self._arn = found[0]
        self._region = found[1]
        self._seconds = float(environment["JACKFIELD_KEY_SERVICE_SECONDS"])
        self._endpoint = service_endpoint("kms", None, environment)
        self._client: Any = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<KmsKey {self._arn}>"

    def wrap(self, context: Mapping[str, str], data_key: bytes) -> bytes:
        """Encrypt a data key.

        :raises Unavailable: if KMS does not answer.
        :raises Forbidden: if KMS refuses.
        """
        bound = _encryption_context(context)
        answer = self._call_kms(
            lambda kms: kms.encrypt(KeyId=self._arn, Plaintext=data_key, EncryptionContext=bound)
        )
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, context: Mapping[str, str], wrapped: bytes) -> bytes:
        """Decrypt a data key. KMS is given this key's name, so it uses no other key that the
        ciphertext may name.

        :raises Rejected: if this key did not encrypt it in this context.
        :raises Unavailable: as ``wrap`` does.
        :raises Forbidden: as ``wrap`` does.
        """
        bound = _encryption_context(context)
        answer = self._call_kms(
            lambda kms: kms.decrypt(
                KeyId=self._arn, CiphertextBlob=wrapped, EncryptionContext=bound
            )
        )
        return bytes(answer["Plaintext"])

    def rewrap(self, context: Mapping[str, str], wrapped: bytes, source: str) -> bytes | None:
        """Encrypt a value of another key of the same region with this key, inside KMS; return None
        for other values.

        :raises Rejected: as ``unwrap`` does.
        :raises Unavailable: as ``wrap`` does.
        :raises Forbidden: as ``wrap`` does.
        """
        found = _ARN.fullmatch(source.removeprefix(SCHEME))
        if found is None or found[1] != self._region:
            return None
        bound, before = _encryption_context(context), found[0]
        answer = self._call_kms(
            lambda kms: kms.re_encrypt(
                CiphertextBlob=wrapped,
                SourceKeyId=before,
                SourceEncryptionContext=bound,
                DestinationKeyId=self._arn,
                DestinationEncryptionContext=bound,
            )
        )
        return bytes(answer["CiphertextBlob"])

    def _call_kms(self, request: Callable[[Any], Mapping[str, Any]]) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            # takes longer than a request where the machine is busy, and waits for nobody
            client = self._opened()
            with within(Deadline.after(self._seconds, SystemClock())):
                find_keys(Ambient(), self._region)
                return request(client)
        except ClientError as error:
            raise _explained(error) from None
        except BotoCoreError as error:
            raise Unavailable(f"AWS KMS in {self._region}: {type(error).__name__}") from None

    def _opened(self) -> Any:
        from jackfield_aws.direct.client import open_client

        with self._lock:
            if self._client is None:
                self._client = open_client(
                    ClientSpec("kms", self._region, self._endpoint, Ambient()),
                    begins=False,
                    read_timeout=self._seconds,
                )
            return self._client

    def _begin_anew(self) -> None:
        super()._begin_anew()
        self._client = None  # its connections belong to the parent


def _encryption_context(context: Mapping[str, str]) -> dict[str, str]:
    return {f"jackfield:{name}": value for name, value in context.items()}


def _explained(error: Any) -> JackfieldError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    text = f"AWS KMS answers {code[:80]}"
    if code in _NOT_OURS:
        return Rejected(text)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return (
        Unavailable(text) if code in _OUT_OF_ORDER or status >= _SERVER_FAULT else Forbidden(text)
    )
