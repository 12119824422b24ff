"""Environment variables as env files, templates and Secrets write them: stripped once, and refused
by name for characters that these files added.
"""

from __future__ import annotations

import os

from jackfield.kernel.errors import InvalidInvocation

TYPE_CHECKING = False  # importing typing would double the start-up time of a cold --help
if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "JACKFIELD_"
_QUOTES = ('"', "'")
_LISTS = frozenset({"MASTER_KEY", "NEW_MASTER_KEY"})
"""Variables with several values, which lines may separate."""
NAMES = _LISTS | frozenset(
    [
        "HOME",
        "DATABASE_URL",
        "DATABASE_URL_FILE",
        "DATABASE_WAIT",
        "DATABASE_CONNECTIONS",
        "NEW_DATABASE",
        "PUBLIC_URL",
        "DURABILITY",
        "QUEUE_URL",
        "QUEUE_URL_FILE",
        "MASTER_KEY_FILE",
        "NEW_MASTER_KEY_FILE",
        "KEY_WRAPPERS",
        "KEY_SERVICE_SECONDS",
        "KEY_CACHE_SECONDS",
        "FILES_URL",
        "CONNECTIONS",
        "KUBERNETES_SECRETS",
        "KUBERNETES_ACCOUNT",
        "WORKSPACE",
        "ONLY_HOSTS",
        "ALLOW_HOSTS",
        "OUTBOUND_PROXY",
        "RESOLVE_AT_PROXY",
        "TWINS",
        "SETTLE",
        "MCP_SERVERS",
        "POLICY_URL",
        "POLICY_SECRET",
        "OFFERS",
        "ROLES",
        "OIDC_ISSUER",
        "OIDC_CLIENT_ID",
        "OIDC_CLIENT_SECRET",
        "OIDC_CLIENT_SECRET_FILE",
        "OIDC_GROUPS_CLAIM",
        "OIDC_SCOPES",
        "ISOLATION",
        "PIN",
        "PROVE_FOLDER",
        "AWS_DIRECT",
        "LOG",
        "LOG_LEVEL",
        "VAULT_HOSTS",
    ]
)
"""Names of jackfield's variables, without their prefix. Others, such as a document that
``JACKFIELD_CONNECTIONS`` refers to, are the user's.
"""


def tidied(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return ``environment`` with jackfield's variables stripped; the same object if no variable
    has white space at its ends.

    A Secret made by ``echo`` ends with a line break, and an env file with CRLF line ends leaves
    one.

    :raises InvalidInvocation: if a value is in quotes or contains a control character. The message
        names the variable, never its value.
    """
    changed = {}
    for name, value in environment.items():
        if name.startswith(_PREFIX) and name[len(_PREFIX) :] in NAMES:
            text = value.strip()
            _check(name, text, value)
            if text != value:
                changed[name] = text
    return {**environment, **changed} if changed else environment


def tidy_process() -> None:
    """Strip jackfield's variables of this process, as ``tidied`` does.

    :raises InvalidInvocation: as ``tidied`` does; no variable is changed then.
    """
    found = tidied(os.environ)
    if found is not os.environ:
        os.environ.update(
            {name: value for name, value in found.items() if name.startswith(_PREFIX)}
        )


def _check(name: str, text: str, value: str) -> None:
    if value and not text:
        raise InvalidInvocation(
            f"the value of {name} is blank", hint="Give it a value, or unset it."
        )
    if len(text) > 1 and text[0] == text[-1] and text.startswith(_QUOTES):
        raise InvalidInvocation(
            f"the value of {name} is in quotes, which are part of it",
            hint=(
                "Remove them: a shell takes quotes away, 'docker run --env-file' and Secrets "
                "do not."
            ),
        )
    if name[len(_PREFIX) :] not in _LISTS and any(
        letter < " " or letter == "\x7f" for letter in text
    ):
        raise InvalidInvocation(
            f"the value of {name} contains a line break or another control character",
            hint=f"Look at it with 'printenv {name} | od -c', and write it in one line.",
        )
