"""The two STS calls that connections need: AssumeRole and GetCallerIdentity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jackfield.connector import ANYWHERE, Account, Deadline, Guard, Minted, Sent, Unavailable
from jackfield_aws.hooks import watch
from jackfield_aws.keys import Keys
from jackfield_aws.limits import within
from jackfield_aws.sessions import Ambient, ClientSpec, make_client
from jackfield_aws.sts_errors import explain_sts

__all__ = ["RoleRequest", "StsCaller", "assume_role", "caller_identity"]


@dataclass(frozen=True, slots=True)
class StsCaller:
    """Who asks STS, where, and until when. ``endpoint`` None is the regional one; ``guard`` judges one that the connection names."""

    identity: Keys | Ambient
    region: str
    endpoint: str | None
    deadline: Deadline
    guard: Guard = ANYWHERE


@dataclass(frozen=True, slots=True)
class RoleRequest:
    """What AssumeRole is asked for. ``duration`` is in seconds, ``policy`` the session policy's JSON."""

    role_arn: str
    session_name: str
    external_id: str | None = field(default=None, repr=False)
    duration: int | None = None
    policy: str | None = None

    def parameters(self) -> dict[str, Any]:
        """The parameters of the API, without those that are not set: STS refuses an empty External ID."""
        given = {
            "RoleArn": self.role_arn,
            "RoleSessionName": self.session_name,
            "ExternalId": self.external_id,
            "DurationSeconds": self.duration,
            "Policy": self.policy,
        }
        return {name: value for name, value in given.items() if value is not None}


def assume_role(caller: StsCaller, request: RoleRequest) -> Minted:
    """Assume the role once: a lease whose value are the parts of Keys, as JSON, so that processes can share it.

    :raises JackfieldError: with what STS, the network or the machine's own identity refused; never in doubt.
    """
    with _sts(caller, request) as client:
        answer = client.assume_role(**request.parameters())
        found = answer["Credentials"]
        secrets = found["SecretAccessKey"], found["SessionToken"]
        keys = {"access_key_id": found["AccessKeyId"], "secret_access_key": secrets[0], "session_token": secrets[1]}
        return Minted(keys, found["Expiration"].timestamp(), secrets)


def caller_identity(caller: StsCaller) -> Account:
    """Whose credentials these are: the account, labelled with the caller's ARN. Needs no permission.

    :raises JackfieldError: where the credentials are not accepted.
    """
    with _sts(caller, None) as client:
        answer = client.get_caller_identity()
        return Account(id=answer["Account"], label=answer["Arn"])


@contextmanager
def _sts(caller: StsCaller, request: RoleRequest | None) -> Iterator[Any]:
    """A client for one call: a role is assumed once an hour, so there is nothing to keep it for."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    with within(caller.deadline):
        caller.deadline.check()
        client = None
        try:
            client = make_client(ClientSpec("sts", caller.region, caller.endpoint, caller.identity, caller.guard))
            watch(client, begins=False)
            yield client
        except (BotoCoreError, ClientError, ResponseParserError, OSError) as error:
            raise explain_sts(error, region=caller.region, identity=caller.identity, request=request) from None
        except (KeyError, TypeError, AttributeError):
            text = "STS answered something that is no STS answer"
            raise Unavailable(text, hint="Check 'stsEndpoint' and AWS_ENDPOINT_URL_STS.", sent=Sent.NOTHING) from None
        finally:
            if client is not None:
                client.close()
