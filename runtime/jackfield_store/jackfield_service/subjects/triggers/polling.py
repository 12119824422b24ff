"""One poll of a subscription, page by page: the commit with the last events of a page has the
checkpoint after them. A large page is stored in several commits, so that none keeps other
workspaces waiting; after an interruption, keys identify the new events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from jackfield.connector.conversion import payload
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Unavailable
from jackfield_service.subjects.triggers.arrivals import in_parts
from jackfield_service.subjects.triggers.comparison import (
    Change,
    Comparison,
    RoundProgress,
    is_too_much,
)

if TYPE_CHECKING:
    from jackfield.connector.triggers import Listed, Polled, Trigger
    from jackfield_service.subjects.triggers.arrivals import InTransaction, Sealer
    from jackfield_service.subjects.triggers.due import DueSubscriptions
    from jackfield_service.subjects.triggers.subscription import Sealed, Subscription
    from jackfield_store.access.ports import SealedStorage

    Step = Callable[[Any, Any], Any]

_PAGES = 20
"""Maximum number of pages of one poll; further pages are polled at once, after other
subscriptions.
"""


class Polling:
    """Poll of one claimed subscription. ``over`` runs a step, which gets client and inputs, over
    its connection.
    """

    def __init__(
        self,
        storage: SealedStorage,
        found: Subscription,
        due: DueSubscriptions,
        sealer: Sealer,
        over: Callable[[Step], Any],
    ) -> None:
        self._storage = storage
        self._vault = storage.vault
        self._found = found
        self._due = due
        self._sealer = sealer
        self._over = over
        self.has_stored = False
        """True once a page was stored: a failure after it loses nothing, and the next poll
        continues there.
        """

    def poll(self, trigger: Trigger, content: Sealed) -> bool:
        """Read new items. Return whether more follow at once.

        :raises JackfieldError: if the provider refuses or fails.
        """
        from jackfield.connector.triggers import Since

        mark, since, is_new = self._found.checkpoint(self._vault), content.since, False
        for _ in range(_PAGES):
            page: Polled | None = self._page(
                trigger, Since(since // 1, mark, self._due.time.now() // 1)
            )
            if page is None:
                if is_new:
                    raise Unavailable("the provider calls a new checkpoint too old")
                since, mark, is_new = self._begin_again(content), {}, True
                continue
            before, mark, is_new = mark, dict(page.next), False
            for events, is_last in in_parts(page.events):
                arrivals = self._sealer.arrivals(events, self._due.time.stamp())
                self._due.page(self._found, self._vault, arrivals, mark if is_last else before)
            self.has_stored = True
            if page.unknown is not None:
                raise Unavailable(page.unknown)
            if not page.more or (mark == before and not page.events):
                return False
        return True

    def _page(self, trigger: Trigger, place: Any) -> Any:
        """Read one page, of a list or of new items; return None if the provider no longer knows its
        position.
        """
        from jackfield.connector.triggers import Gone

        try:
            found = self._over(_reading(trigger, place))
        except Gone:
            return None
        if found is None:
            raise Unavailable("the connector's code failed: its poll returned nothing")
        return found

    def _begin_again(self, content: Sealed) -> float:
        """Delete a checkpoint that has expired at the provider; return the time from which events
        count. That is one interval before the last success, which came after the last page was
        read. Keys identify the new events.
        """
        since = max(
            content.since, (self._found.last_success_at or 0.0) - (self._found.every or 0.0)
        )
        facts = {"reason": "the checkpoint was too old for the provider"}
        self._due.begun_again(
            self._found, self._vault, replace(content, since=since), self._found.account, facts
        )
        return since

    def compare(self, trigger: Trigger) -> bool:
        """Read a list, and compare it with its earlier state; return whether more follows at once.

        :raises JackfieldError: if the provider refuses or fails.
        """
        comparison = Comparison(
            self._storage.database, self._vault, self._found.workspace, self._found, trigger.types
        )
        stored = self._found.checkpoint(self._vault)
        mark = RoundProgress(**stored) if stored else RoundProgress()
        begins = mark.after is None
        for _ in range(_PAGES):
            if mark.complete:
                mark = self._ended(comparison, mark)
                if not mark.complete:
                    return False
                continue
            page: Listed | None = self._page(trigger, mark.after)
            if page is None:
                if begins:
                    raise Unavailable(
                        "the provider does not know the page after one that it has just returned"
                    )
                # what the round has seen so far counts
                mark, begins = replace(mark, after=None), True
                continue
            before = mark
            mark = replace(
                mark, after=page.next, complete=page.next is None and page.unknown is None
            )
            for items, is_last in in_parts(page.items):
                named = [(_text(item.id), payload(item.data)) for item in items]
                changes, in_transaction = comparison.seen(named, before)
                self._store(changes, mark if is_last else before, in_transaction)
            if page.unknown is not None:  # the round begins again, and nothing is deleted
                raise Unavailable(page.unknown)
        return True

    def _ended(self, comparison: Comparison, mark: RoundProgress) -> RoundProgress:
        """Report some of the items missing in a complete round; return the progress, of the next
        round once all are reported.
        """
        items, gone = comparison.counts(mark)
        following = RoundProgress(mark.round + 1)
        if is_too_much(items, gone) and not mark.deletes:
            withheld = replace(following, withheld=True)
            facts = {"items": items, "gone": gone}
            self._store(
                (),
                withheld,
                None if mark.withheld else self._due.telling(self._found, "withheld", facts),
            )
            return withheld
        changes, in_transaction = comparison.deleted(mark)
        mark = replace(mark, deletes=True) if changes else following
        self._store(changes, mark, in_transaction)
        return mark

    def _store(
        self, changes: Iterable[Change], mark: RoundProgress, in_transaction: InTransaction | None
    ) -> None:
        from jackfield.connector.triggers import TriggerEvent

        events = [TriggerEvent(_data(one), one.key, one.type) for one in changes]
        self._due.page(
            self._found,
            self._vault,
            self._sealer.arrivals(events, self._due.time.stamp()),
            mark.to_json(),
            in_transaction,
        )
        self.has_stored = True


def _reading(trigger: Trigger, place: Any) -> Step:
    def read(client: Any, inputs: Any) -> Any:
        if trigger.function is None:
            raise Unavailable("the trigger is not polled any more")
        return trigger.function(inputs, client, place)

    return read


def _text(identifier: object) -> str:
    return "" if identifier is None else str(identifier)


def _data(change: Change) -> dict[str, Any]:
    return {"id": change.id} if change.item is None else {"id": change.id, "item": change.item}
