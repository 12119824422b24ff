"""Meaning of a failed credential process, from its exit status and standard error.

Programs reveal only by their messages whether a server refused them or did not answer. The phrases
here come from the AWS CLI, ``aws-vault``, ``saml2aws``, ``granted``, IAM Roles Anywhere's helper,
and the languages of such programs.
"""

from __future__ import annotations

import re

from jackfield.connector import InvalidConnection, JackfieldError, Unauthenticated, Unavailable

_NOT_STARTED = (126, 127)
"""Exit statuses of a shell whose command cannot be run (POSIX, Shell Command Language, 2.8.2)."""
_KINDS: tuple[tuple[type[JackfieldError], str], ...] = (
    (
        Unauthenticated,
        (
            r"access ?denied|expired|forbidden|un-?authori[sz]ed|not authori[sz]ed|not logged "
            r"in|invalid[_ ]?(grant|client|token)"
            r"|no longer valid|unrecognizedclient|signaturedoesnotmatch|\b40[13]\b"
        ),
    ),
    (
        Unavailable,
        (
            r"timed? ?-?out|could ?n[o']t connect|cannot connect|failed to connect|unable to "
            r"connect|unreachable|no route to host"
            r"|connection (was )?(refused|reset|closed|aborted)|(name|host).{0,20}(resol|not "
            r"known)|temporar|throttl|too many requests"
            r"|rate exceeded|unavailable|internal ?(server ?)?(error|failure)|broken pipe|no such "
            r"host|\b(408|429|5\d\d)\b"
        ),
    ),
    (Unauthenticated, r"log ?in|sign ?in|authenticat|mfa|\bdenied by\b"),
)
"""Error classes by phrases; the first match decides: an explicit refusal, an outage, advice to sign
in.
"""
_PATTERNS = tuple((kind, re.compile(words, re.IGNORECASE)) for kind, words in _KINDS)
_LONGEST = 20_000
"""Maximum characters of the output that are read, from its end, which gives the reason."""


def kind_of_exit(status: int, output: str) -> type[JackfieldError]:
    """Return the error class for an exit status other than 0: by a known phrase, else that of a
    wrong configuration.
    """
    if status in _NOT_STARTED:
        return InvalidConnection
    text = output[-_LONGEST:]
    return next((kind for kind, pattern in _PATTERNS if pattern.search(text)), InvalidConnection)
