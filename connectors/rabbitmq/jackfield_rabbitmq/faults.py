"""Meaning of the broker's refusals, by reply code (AMQP 0-9-1, section 1.2, "Constants")."""

from __future__ import annotations

from jackfield.connector import Conflict, Forbidden, JackfieldError, NotFound, Provider, Rejected, Sent, Unauthenticated, Unavailable

_CODES: dict[int, tuple[type[JackfieldError], str, str]] = {
    311: (Rejected, "the message is larger than the broker takes", "Send less."),
    320: (Unavailable, "the broker closes the connection", "Send it again later."),
    402: (NotFound, "the virtual host does not exist", "Check the connection's virtual host."),
    403: (
        Forbidden,
        "the user is not allowed to do this",
        "Grant the user of the connection what is needed (rabbitmqctl set_permissions).",
    ),
    404: (NotFound, "the queue or exchange does not exist", "Check its name, or call declareQueue."),
    405: (Conflict, "the queue belongs to another connection alone", "Use another queue."),
    406: (Conflict, "the queue exists with other settings", "Declare it with the settings that it has, or use another name."),
    530: (Forbidden, "the broker does not allow the virtual host", "Check the connection's virtual host, and that its user may use it."),
    506: (Unavailable, "the broker is short of resources", "Send it again later, or look at the broker's log."),
    541: (Unavailable, "the broker has an internal problem", "Look at the broker's log."),
}
"""Error, message and hint."""


CLEAR = frozenset({311, 402, 403, 404, 405, 406, 530})
"""Codes that say that a request was not carried out. With others, the broker ends a connection whatever it has been sent."""


class Refusal(Exception):
    """The broker closed the channel or the connection: its reply code, and its words."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def refused(refusal: Refusal, sent: Sent = Sent.REFUSED) -> JackfieldError:
    """Return the error for a refusal."""
    said = Provider(code=str(refusal.code), message=refusal.text[:1000])
    kind, message, hint = _CODES.get(refusal.code) or (Rejected, "the broker refused the request", "Check the inputs.")
    return kind(f"{message}: {refusal.text[:500]}", sent=sent, provider=said, hint=hint)


def unfit(reason: str) -> JackfieldError:
    """Return the error for a message that nobody can be told."""
    hint = "It stays in the queue. Take it with another program, or remove it."
    return Unavailable(f"a message cannot be read: {reason}", sent=Sent.NOTHING, hint=hint, repeatable=False)


def refused_login(refusal: Refusal) -> JackfieldError:
    """Return the error for a refusal while signing in."""
    if refusal.code == 403:
        hint = "Check user name and password of the connection."
        return Unauthenticated("the broker refused the login", sent=Sent.REFUSED, hint=hint, provider=Provider(code="403"))
    return refused(refusal)
