"""Facts for a person who is about to connect an account: the platform's permissions, the storage,
the end of the access, and the time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jackfield.connections.connection_types import ConnectionKind
from jackfield.kernel.markup import Markup
from jackfield_service.shell.pages.layout.components import h, json_text
from jackfield_service.subjects.connect.connecting import Connecting
from jackfield_service.subjects.connect.pages.approval import ApprovalPages
from jackfield_service.subjects.connect.permissions import needed
from jackfield_service.subjects.connect.session import ConnectSession
from jackfield_service.subjects.connect.values import asked

FEW = 8
"""Maximum number of actions or permissions in a sentence."""
_TEST = "ConnectionTest"
"""ID of a policy's statement that only the test of the connection needs."""
_HOURS = 120
"""Minutes above which a time is stated in hours."""


def operations(policy: Mapping[str, Any], *, test: bool = False) -> list[str]:
    """Return the operations that a policy allows, without duplicates: the operations of calls, or
    of the connection's ``test`` alone.
    """
    rows = [row for row in policy.get("Statement", ()) if (row.get("Sid") == _TEST) is test]
    named = (row.get("Action", ()) for row in rows)
    return list(
        dict.fromkeys(
            one for given in named for one in ([given] if isinstance(given, str) else given)
        )
    )


class FactPages(ApprovalPages):
    """Pages with facts about an account that is to be connected."""

    def _left(self) -> str:
        minutes = math.ceil(max(self._lasts, 0.0) / 60)
        if minutes >= _HOURS:
            return self.say("time_hours", count=minutes // 60)
        return self.say("time_minute") if minutes == 1 else self.say("time_minutes", count=minutes)

    def _time(self) -> str:
        return self.say("facts_time", time=self._left())

    def _facts(
        self,
        sessions: Connecting,
        found: ConnectSession,
        only: tuple[str, ConnectionKind],
        role: Mapping[str, Any] | None = None,
    ) -> Markup:
        """Render the facts for a person who is about to enter a key: its use by the platform, its
        storage, the way to end the connection, and the time left. A person who creates a ``role``
        also reads which calls its policy allows.
        """
        (name, kind), platform = only, self._platform or self.say("somebody")
        known = {
            f"{manifest.key}/{key}": action.title
            for manifest in kind.manifests
            for key, action in manifest.actions.items()
        }
        titles = [title for action in found.asked.actions if (title := known.get(action))]
        may = (
            self.say("facts_actions", platform=platform, actions=", ".join(titles))
            if 0 < len(titles) <= FEW
            else ""
        )
        is_role = role is not None or sessions.trusts(found, kind)
        told = [
            may or self.say("facts_use", platform=platform),
            self._allowed(sessions, found, (name, kind), role, platform),
            *self._kept(
                platform, self._words.provider(name, kind, {}), found, kind, is_role=is_role
            ),
            self._time(),
        ]
        return h.ul(
            [h.li(text[:1].upper() + text[1:]) for text in told if text], class_="facts muted small"
        )

    def _allowed(
        self,
        sessions: Connecting,
        found: ConnectSession,
        only: tuple[str, ConnectionKind],
        role: Mapping[str, Any] | None,
        platform: str,
    ) -> str:
        """Return a sentence about the permissions of a role, an approval or a key; an empty string
        if the page names them elsewhere.
        """
        name, kind = only
        if kind.about.authorizes:
            scopes = sessions.approval(found, kind).scopes
            shown = [self._words.scope(scope, kind) for scope in scopes]
            provider = self._words.provider(name, kind, {})
            return self.say(
                "facts_scopes" if shown else "facts_unscoped",
                provider=provider,
                scopes="; ".join(shown),
            )
        if role is None:
            is_told = (
                sessions.trusts(found, kind)
                or needed(found, kind).calls
                or self._needed(sessions, found)
            )
            return "" if is_told else self.say("facts_ask", platform=platform)
        listed, tested = operations(role), operations(role, test=True)
        if not 0 < len(listed) + len(tested) <= FEW:
            return self.say("facts_policy", platform=platform)
        key = "facts_role_test" if listed and tested else "facts_role"
        return self.say(
            key,
            platform=platform,
            permissions=", ".join(listed or tested),
            tested=", ".join(tested),
        )

    def _kept(
        self,
        platform: str,
        provider: str,
        found: ConnectSession,
        kind: ConnectionKind,
        *,
        is_role: bool,
    ) -> tuple[str, str]:
        """Return a sentence about the storage of the access, and one about its end."""
        kept, end = (
            ("facts_granted", "facts_withdraw")
            if kind.about.authorizes
            else ("facts_kept", "facts_end")
        )
        if is_role:
            has_secret = any(field.get("writeOnly") for field in asked(found, kind).values())
            kept, end = kept if has_secret else "facts_kept_role", "facts_end_role"
        return self.say(kept, platform=platform, provider=provider), self.say(
            end, platform=platform
        )

    def _rights(self, found: ConnectSession, kind: ConnectionKind) -> Markup | None:
        """Render the permissions that the entered key needs at the provider; None if they are
        unknown.
        """
        if kind.about.authorizes:
            return None
        listed = needed(found, kind)
        calls, tested = ", ".join(listed.calls), ", ".join(listed.test)
        key = ("rights_and_test" if tested else "rights") if calls else "rights_of_test"
        return (
            h.p(self.say(key, permissions=calls, tested=tested), class_="hint")
            if calls or tested
            else None
        )

    def _needed(self, sessions: Connecting, found: ConnectSession) -> str:
        """Return the policy for the owner of the entered key; an empty string unless the platform
        lists its calls.
        """
        asked = found.asked
        made = sessions.documents(found) if asked.actions or asked.calls else {}
        return json_text(made["identityPolicy"]) if "identityPolicy" in made else ""
