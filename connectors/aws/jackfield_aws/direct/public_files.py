"""Public files of AWS, such as the certificates of Amazon SNS's signatures, fetched without a
signature through a client's route.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from jackfield.connector import JackfieldError, Sent, Target, Unavailable, WireFault
from jackfield.kernel.clock import monotonic
from jackfield_aws.direct.wires import PORTS, reach_of
from jackfield_aws.limits import current_deadline
from jackfield_aws.transport import raised_by_wire

_SECONDS = 5.0
_OK = 200


def read_public_file(client: Any, url: str, most: int) -> bytes:
    """Fetch ``url`` with a client's proxy and certificate authorities, within 5 seconds.
    Redirects are not followed.

    :raises JackfieldError: if it cannot be fetched, is larger than ``most`` bytes, or the guard
        refuses the host.
    """
    place = urlsplit(url)
    target = Target(place.scheme, place.hostname or "", place.port or PORTS[place.scheme])
    fields = [(b"Host", place.netloc.encode()), (b"Accept-Encoding", b"identity")]
    deadline, end = current_deadline(), monotonic() + _SECONDS

    def limit() -> float:
        left = end - monotonic()
        return left if deadline is None else min(left, deadline.remaining())

    try:
        wire = reach_of(client).wire(url)
        reply = wire.send("GET", target, place.path.encode(), fields, None, limit, lambda: None)
        if reply.status != _OK:
            reply.close()
            raise Unavailable(
                f"{place.netloc} answered {reply.status} to a request for {place.path}",
                sent=Sent.NOTHING,
            )
        return reply.read(most)
    except LookupError:
        raise Unavailable(
            "files of AWS cannot be fetched over a proxy that is spoken to over TLS",
            sent=Sent.NOTHING,
        ) from None
    except WireFault as fault:
        inner = getattr(raised_by_wire(fault, url), "kwargs", {}).get("error")
        raise (
            inner
            if isinstance(inner, JackfieldError)
            else Unavailable(f"{place.netloc} gave no answer")
        ) from None
