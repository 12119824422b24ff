"""A scripted AWS on loopback: the account that the demo models
(``jackfield_aws_ses_simulator.aws``), with faults, a log and latency.

It runs inside the test process, in threads of its own, or as a process of its own::

    with FakeAws(identities=["example.com"], latency=0.02) as aws:  # .url, .messages, .calls()
        ...
    with FakeAwsProcess(latency=0.02, blind=True) as aws:
        ...

Which service a request is for is read from the credential scope of its Authorization header; an
unsigned request is known by its path (``/v2/…``) or its ``Action``. Names of services here:
``sesv2``, ``ses`` (version 1) and ``sts``.

Operations are those of the account: every one that aws-ses' actions need. Others are refused as not
implemented.

Options
-------
Keyword arguments, or the members of a vector's ``endpoint`` in camelCase; an unknown one is a
ValueError. Every one is optional; ``null`` for identities, configurationSets, roles and users means
"do not check".

==================== ===============================================================================
identities           ``["example.com", {"name": "x@y.z", "region": "eu-west-1"}]``; null = every
                     sender is verified, lists are empty. No region = every region
configurationSets    names that exist
roles                ``{roleArn: {"externalId", "allow": ["ses:SendEmail", "ses:List*"], "trust",
                     "maxSessionDuration"}}``; with a map only these exist. externalId set = must be
                     sent and be equal; trust = user ARNs, access key ids or account ids that may
                     assume it; maxSessionDuration 3600
users                ``{accessKeyId: {"secret", "sessionToken", "arn", "allow"}}``; with a map only
                     these keys are known
script               the faults, below
latency              seconds before each answer, counted from the moment the request was read whole
                     (default 0)
connectLatency       seconds more before the first answer on a new connection (default 0)
verificationSeconds  seconds until a new identity is verified (default 10)
sandbox, paused      recipients must be verified as well; sending is paused (default false)
enforcementStatus    what AWS thinks of the account's reputation (default HEALTHY); it decides
                     nothing
quota                ``{"max24HourSend": 50000, "maxSendRate": 14, "sentLast24Hours": 0}``; the
                     daily part is enforced
rates                ``{"ListIdentities": 1}``: calls a second, more are throttled with "Rate
                     exceeded"
strictRaw            sesv2 SendEmail of a raw message asks for ses:SendRawEmail, not for either
                     (default false: what AWS asks is not settled)
verifySignatures     check SigV4 with the secrets of ``users`` and of our sessions (default false)
sessionCalls         SES calls after which a session counts as expired, whatever it was told
answers              ``{"GetEmailIdentity": {…}}``: what an operation of sesv2 returns once the call
                     passed its checks, instead of what the account knows; a list: one answer after
                     the other, the last for ever; in Python, a function of the call, too
blind                sesv2 SendEmail is counted and accepted unread: no parsing, rules, faults, log
                     (default false; for benchmarks of small messages, where the fake must cost next
                     to nothing)
==================== ===============================================================================

The script
----------
A list of faults. A request takes the first one in the queue that fits its operation, or else the
first that fits and is ``always``. Members: ``operation`` ("SendEmail", "sesv2:SendEmail" or "*",
the default), ``do``, ``times`` (default 1), ``always``, and:

================= ==================================================================================
pass              answer as if there were no fault (takes its place in the queue: "the second page
                  fails")
reset, close      after the whole request was read: RST, or FIN without an answer. ``seconds`` first
                  waits
hang              no answer until the caller leaves or ``release()``; with ``seconds``, the true
                  answer after that time
status            ``status`` (400), ``code``, ``message``, ``headers``: an error in the protocol's
                  own form
body              ``status`` (200), ``body`` (text, or JSON that is dumped; default empty),
                  ``contentType``, ``headers``
cut               the true answer (or ``body``) announced whole, but only ``bytes`` of the body sent
                  (default half)
drip              the true answer, one byte of the body each ``seconds`` (default 0.1); ``head``:
                  true drips the head too
latency           ``seconds`` more before the true answer
close_idle        the true answer, then FIN without announcing it (``seconds`` later)
expire            all sessions expire before this request is judged
reset_before_read RST as soon as a connection is accepted: belongs to connections, not to operations
================= ==================================================================================

``accept`` says whether AWS took the request before misbehaving (a send is recorded as accepted, a
role is assumed). Default true, but false for ``status`` and ``body``; with ``hang`` and ``seconds``
a request that was not taken before is judged at the end. A request that breaks a rule of the
endpoint (an unverified sender, say) is never accepted.

``stop()`` and ``start()`` keep the port: in between it refuses connections, and a caller can prove
that it comes back.

The state
---------
``state()`` is JSON: ``connections``, ``received`` (sends whose request was read whole),
``accepted`` (those that were recorded), ``calls``, ``requests``, ``messages`` and ``sessions``,
with the members of ``Request``, ``SentMessage`` and ``Session`` in camelCase. Secrets, tokens,
headers of requests and raw bytes are left out; an attachment has ``size`` and ``sha256`` instead of
its bytes.
"""

from jackfield_aws_ses_simulator.aws.account import Role, User

from .fake import FakeAws
from .faults import Fault
from .ports import refused_url
from .process import FakeAwsProcess

__all__ = ["FakeAws", "FakeAwsProcess", "Fault", "Role", "User", "refused_url"]
