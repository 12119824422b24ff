"""A fake AWS endpoint on loopback: enough of SESv2, SES and STS to test and to time a client against it.

Standard library only. It runs inside the test process, in threads of its own, or as a process of its own::

    with FakeAws(identities=["example.com"], latency=0.02) as aws:      # aws.url, aws.messages, aws.calls()
        ...
    with FakeAwsProcess(latency=0.02, message_bytes=False) as aws:      # python -m fake_aws --port 0 …
        ...

Which service a request is for is read from the credential scope of its Authorization header; an unsigned request is
told by its path (``/v2/…``) or its ``Action``. Names of services here: ``sesv2``, ``ses`` (version 1) and ``sts``.

Operations: sesv2 SendEmail (Simple, Raw), GetAccount, ListEmailIdentities (POST and the older GET), GetEmailIdentity;
ses SendEmail, SendRawEmail, ListIdentities, GetSendQuota, GetIdentityVerificationAttributes; sts AssumeRole,
GetCallerIdentity.

The endpoint in JSON
--------------------
``FakeAws.from_json(endpoint)`` takes the constructor's keyword arguments in camelCase; an unknown member is a
ValueError. Every member is optional; ``null`` for identities, configurationSets, roles and users means "do not check".

==================== ===================================================================================================
identities           ``["example.com", {"name": "x@y.z", "status": "PENDING", "region": "eu-west-1"}]``; null = every
                     sender is verified, lists are empty. Statuses: SUCCESS (default) PENDING FAILED TEMPORARY_FAILURE
                     NOT_STARTED. No region = every region
configurationSets    names that exist
roles                ``{roleArn: {"externalId", "allow": ["ses:SendEmail", "ses:List*"], "trust", "maxSessionDuration"}}``;
                     with a map only these exist. externalId set = must be sent and be equal; trust = user ARNs,
                     access key ids or account ids that may assume it; maxSessionDuration 3600
users                ``{accessKeyId: {"secret", "sessionToken", "arn", "allow"}}``; with a map only these keys are known
script               the faults, below
latency              seconds before each answer, counted from the moment the request was read whole (default 0)
connectLatency       seconds more before the first answer on a new connection (default 0)
sandbox, paused      recipients must be verified as well; sending is paused (default false)
quota                ``{"max24HourSend": 50000, "maxSendRate": 14, "sentLast24Hours": 0}``; the daily part is enforced
account              members that replace those of GetAccount's answer
accountId            12 digits, used in made-up ARNs
rates                ``{"ListIdentities": 1}``: calls a second, more are throttled with "Rate exceeded"
maxRecipients        50; null = no limit
sizeLimitV1, …V2     bytes of the encoded message, 10,485,760 and 41,943,040; null = no limit
checkAddresses       addresses must have a domain etc. (default true)
checkRaw             raw messages need From, no doubled headers, no line over 998 bytes (default true)
authorise            "allow" lists and session policies count (default true). Policy conditions are not evaluated
strictRaw            sesv2 SendEmail of a raw message asks for ses:SendRawEmail, not for either (default false: what AWS asks
                     is not settled)
quotedDenials        SES's own wording for sends: User `…' is not authorized to perform `…' on resource `…' (default
                     false: User: … is not authorized to perform: … on resource: …)
verifySignatures     check SigV4 with the secrets of ``users`` and of our sessions (default false)
maxSkew              seconds that X-Amz-Date may be away from our clock; null (default) = any
sessionLifetime      seconds that sessions live, instead of DurationSeconds
sessionCalls         SES calls after which a session counts as expired, whatever it was told
messageBytes         keep texts, attachments and raw bytes (default true; false for benchmarks)
blind                sesv2 SendEmail is counted and accepted unread: no parsing, rules, faults, log (default false; for
                     benchmarks of small messages, where the fake must cost next to nothing)
pageSize             identities on a page where the caller names no number (default 100)
==================== ===================================================================================================

The script
----------
A list of faults. A request takes the first one in the queue that fits its operation, or else the first that fits and
is ``always``. Members: ``operation`` ("SendEmail", "sesv2:SendEmail" or "*", the default), ``do``, ``times``
(default 1), ``always``, and:

================= ======================================================================================================
pass              answer as if there were no fault (takes its place in the queue: "the second page fails")
reset, close      after the whole request was read: RST, or FIN without an answer. ``seconds`` first waits
hang              no answer until the caller leaves or ``release()``; with ``seconds``, the true answer after that time
status            ``status`` (400), ``code``, ``message``, ``headers``: an error in the protocol's own form
body              ``status`` (200), ``body`` (text, or JSON that is dumped; default empty), ``contentType``, ``headers``
cut               the true answer (or ``body``) announced whole, but only ``bytes`` of the body sent (default half)
drip              the true answer, one byte of the body each ``seconds`` (default 0.1); ``head``: true drips the head too
latency           ``seconds`` more before the true answer
close_idle        the true answer, then FIN without announcing it (``seconds`` later)
expire            all sessions expire before this request is judged
reset_before_read RST as soon as a connection is accepted: belongs to connections, not to operations
================= ======================================================================================================

``accept`` says whether AWS took the request before misbehaving (a send is recorded as accepted, a role is assumed).
Default true, but false for ``status`` and ``body``; with ``hang`` and ``seconds`` a request that was not taken before
is judged at the end. A request that breaks a rule of the endpoint (an unverified sender, say) is never accepted.

``stop()`` and ``start()`` keep the port: in between it refuses connections, and a caller can prove that it comes back.

Control over HTTP
-----------------
=========================== ============================================================================================
GET /_fake/state            the state, below
GET /_fake/counters         its numbers without the lists
GET /_fake/raw/{messageId}  the bytes of a raw message
POST /_fake/script          a list of faults: appended
POST /_fake/reset           log, messages, counters and script as at the start; ``{"sessions": true}`` forgets these too
POST /_fake/expire          all sessions are over
POST /_fake/advance         ``{"seconds": n}``: moves the clock
POST /_fake/release         ends every hang
POST /_fake/configure       members of the endpoint, from now on
=========================== ============================================================================================

Control calls are neither logged nor counted.

The state
---------
``{"connections", "received", "accepted", "counts": {"sesv2:SendEmail": 2}, "pendingFaults",
"calls": ["sts:AssumeRole", …],
"requests": [{"service", "operation", "region", "parameters", "headers", "connection", "at", "accessKeyId"}],
"messages": [{"messageId", "service", "operation", "region", "accessKeyId", "sessionName", "source", "to", "cc", "bcc",
"replyTo", "configurationSet", "tags", "feedbackAddress", "identityArn", "headers": [[name, value]],
"kind": "simple" | "raw", "subject", "text", "html",
"attachments": [{"name", "contentType", "size", "sha256", "disposition", "contentId"}], "size", "sha256"?, "at"}],
"sessions": [{"roleArn", "sessionName", "externalId", "durationSeconds", "policy", "accessKeyId", "arn", "expiresAt",
"region"}]}``

``received`` counts sends whose request was read whole, ``accepted`` those that were recorded. Secrets, tokens and
signatures are not shown.
"""

from .fake import FakeAws
from .faults import Fault
from .options import Identity, Quota, Role, Settings, User
from .ports import refused_url
from .records import Attachment, Content, Request, SentMessage, Session
from .remote import FakeAwsProcess

__all__ = [
    "Attachment",
    "Content",
    "FakeAws",
    "FakeAwsProcess",
    "Fault",
    "Identity",
    "Quota",
    "Request",
    "Role",
    "SentMessage",
    "Session",
    "Settings",
    "User",
    "refused_url",
]
