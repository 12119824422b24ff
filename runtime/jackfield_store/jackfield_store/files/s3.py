"""Files in an S3-compatible object store, through obstore: one object per segment.

A multipart upload that its process never ends is invisible to listings, yet costs storage. Segments
as objects of their own are found and deleted by their prefix. Single requests, which every
S3-compatible store answers, write and read them.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from jackfield.invocation.file_refusals import FileDamaged
from jackfield.kernel.errors import InvalidInvocation, JackfieldError, Unavailable
from jackfield.kernel.fork import ProcessLocal
from jackfield.wire.outbound import ENVIRONMENT, Outbound, outbound
from jackfield.wire.urls import target_of

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]\Z")
_PART = re.compile(r"[A-Za-z0-9!_.*'()=-]{1,200}\Z")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)
_FORM = "Write it as s3://bucket/prefix, optionally with ?endpoint=https://HOST and &region=REGION."
_CLIENT = {
    "timeout": "30s",
    "connect_timeout": "5s",
    "pool_max_idle_per_host": "8",
    "pool_idle_timeout": "30s",
}
_DIRECT = {"proxy_url": "http://127.0.0.1:9", "proxy_excludes": "*,0.0.0.0/0,::/0"}
_BESIDE = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fd00:ec2::254"
"""Hosts that supply a machine's credentials, which are reached without a proxy."""
_REGION = "us-east-1"
_RETRY = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=2),
        "base": 2,
    },
}


class S3Blobs(ProcessLocal):
    """Store in a bucket, under a prefix. The client is created on first use, in the process that
    uses it.
    """

    is_shared = True

    def __init__(
        self, bucket: str, prefix: str, config: Mapping[str, str], route: Outbound | None = None
    ) -> None:
        self.location = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket = bucket
        self._prefix = prefix
        self._config = config
        self._route = route
        self._store: S3Store | None = None
        self._inherited = False

    def __repr__(self) -> str:  # the configuration holds credentials
        return f"<S3Blobs {self.location}>"

    @classmethod
    def of(cls, url: str, environment: Mapping[str, str]) -> S3Blobs:
        """Create the store that a URL names, with the credentials, region and endpoint of AWS's
        environment variables.

        :raises InvalidInvocation: if the URL has another form.
        """
        bucket, prefix, options = _split_url(url)
        found: dict[str, str | None] = {
            "endpoint": options.get("endpoint") or _first(environment, _ENDPOINTS),
            "region": options.get("region") or _first(environment, _REGIONS),
        }
        found |= {name.lower(): environment.get(name) for name in _CREDENTIALS}
        return cls(
            bucket,
            prefix,
            {name: text for name, text in found.items() if text},
            outbound(environment, ENVIRONMENT),
        )

    def writer(self, key: str, segment: int) -> _S3Writer:
        """Begin with the first segment."""
        del segment
        return _S3Writer(self, key)

    def put(self, path: str, segment: bytes) -> None:
        """Store one object."""
        try:
            _attempt(lambda: obstore.put(self._open_store(), path, segment, use_multipart=False))
        except FileDamaged:
            raise Unavailable(
                "the file storage cannot be used: its bucket does not exist"
            ) from None

    def read(self, key: str, start: int, size: int, segment: int) -> bytes:
        """Read a range of one segment's object."""
        number, offset = divmod(start, segment)
        store = self._open_store()
        return bytes(
            _attempt(
                lambda: obstore.get_range(store, _path(key, number), start=offset, length=size)
            )
        )

    def delete(self, key: str) -> None:
        """Delete the objects of all segments."""

        def step() -> None:
            store = self._open_store()
            for found in obstore.list(store, f"{key}/"):
                obstore.delete(store, [item["path"] for item in found])

        with suppress(FileDamaged):  # another process has deleted it meanwhile
            _attempt(step)

    def _open_store(self) -> S3Store:
        if self._inherited:
            raise Unavailable(
                "the client of the file storage was used before this process was forked, and "
                "cannot be used in both",
                hint="Create the process with 'spawn', or fork it before the first use of files.",
                repeatable=False,
            )
        if self._store is None:
            endpoint = (
                self._config.get("endpoint")
                or f"https://s3.{self._config.get('region', _REGION)}.amazonaws.com"
            )
            client = cast(
                "Any",
                _CLIENT | {"allow_http": endpoint.startswith("http://")} | self._proxy(endpoint),
            )
            self._store = S3Store(
                self._bucket,
                prefix=self._prefix or None,
                config=cast("Any", dict(self._config)),
                client_options=client,
                retry_config=cast("Any", _RETRY),
            )
        return self._store

    def _proxy(self, endpoint: str) -> dict[str, str]:
        """Return the client's options for the route to the store. Without a proxy, a proxy for no
        host is set, since the client would otherwise read the environment.
        """
        try:
            found = None if self._route is None else self._route.named(target_of(endpoint)[0])
        except ValueError:  # the store says it
            return {}
        return _DIRECT if found is None else {"proxy_url": found[1], "proxy_excludes": _BESIDE}

    def _leave_to_parent(self) -> None:
        """Refuse to go on with a client whose threads exist in the parent only: a call would never
        return.
        """
        self._inherited = self._inherited or self._store is not None


class _S3Writer:
    def __init__(self, blobs: S3Blobs, key: str) -> None:
        self._blobs = blobs
        self._key = key
        self._number = 0

    def write(self, segment: memoryview) -> None:
        self._blobs.put(_path(self._key, self._number), bytes(segment))
        self._number += 1

    def finish(self) -> None:
        """Do nothing: each segment is readable already, and the row turns the segments into a
        file.
        """

    def abort(self) -> None:
        with suppress(JackfieldError):
            self._blobs.delete(self._key)


def _path(key: str, number: int) -> str:
    return f"{key}/{number:06d}"


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environment[name] for name in names if environment.get(name)), None)


def _split_url(url: str) -> tuple[str, str, dict[str, str]]:
    """Split a URL into bucket, prefix and options.

    :raises InvalidInvocation: if it has another form; the text is not quoted, since it may hold a
        password.
    """
    refused = InvalidInvocation("JACKFIELD_FILES_URL is not a bucket in S3", hint=_FORM)
    try:
        parts = urlsplit(url)
        options = (
            parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
            if parts.query
            else []
        )
    except ValueError:
        raise refused from None
    names = [part for part in unquote(parts.path).split("/") if part]
    safe = all(_PART.match(name) and name not in (".", "..") for name in names)
    given = dict(options)
    if (
        not _BUCKET.match(parts.netloc)
        or not safe
        or parts.fragment
        or given.keys() - {"endpoint", "region"}
        or len(given) < len(options)
    ):
        raise refused
    endpoint = given.get("endpoint")
    if endpoint is not None and not re.match(r"https?://[^/?#@\s]+/?\Z", endpoint):
        raise refused
    return parts.netloc, "/".join(names), given


def _attempt(step: Any) -> Any:
    """Run a step of obstore, and raise its errors as this package's.

    :raises FileDamaged: if the object does not exist.
    :raises Unavailable: if the store cannot be reached, refuses, or answers with an error.
    """
    try:
        return step()
    except FileNotFoundError:
        raise FileDamaged(errno.ENOENT, "the stored file is missing") from None
    except (PermissionDeniedError, UnauthenticatedError):
        text = "the file storage refused the credentials"
        raise Unavailable(
            text,
            hint=(
                "Ask the operator to check the credentials of JACKFIELD_FILES_URL and their policy."
            ),
        ) from None
    except (BaseError, OSError, ValueError) as error:
        if "416 " in str(error):
            raise FileDamaged(errno.ENODATA, "the stored file is truncated") from None
        raise Unavailable(f"the file storage cannot be used: {_reason(str(error))}") from None


def _reason(text: str) -> str:
    """Return the kind of fault without addresses, which do not concern callers."""
    status = re.search(r"status code: (\d{3})", text)
    if status is not None:
        return f"it answered {status[1]}"
    return (
        "it does not respond"
        if "error sending request" in text or "timed out" in text
        else "the request failed"
    )
