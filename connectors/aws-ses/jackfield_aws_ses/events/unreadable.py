"""Queue messages that are neither events of Amazon SES nor notices (decision 0069): they must
neither stay for ever nor get lost.

They wait for the queue's dead-letter queue, which ``setUpEvents`` creates. Without a dead-letter
queue, they are deleted after five receives, and the log says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from jackfield.connector import Forged
from jackfield_aws_ses.events.notices import shown, warn_once

RECEIVES = "ApproximateReceiveCount"
_TRIES = 5
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AWS.SimpleQueueService.AccessDenied"}
)


class Unreadable:
    """Collector of one poll's unreadable messages. ``count`` includes messages of earlier polls."""

    def __init__(self, queue: Any, url: str, count: int) -> None:
        self.count = count
        self.stuck = False
        """True if messages were received often enough, but cannot be given up: the next poll must
        wait.
        """
        self._queue = queue
        self._url = url
        self._old: list[Mapping[str, Any]] = []

    def add(self, message: Mapping[str, Any], error: Exception) -> None:
        """Record a message; log the queue's kind of fault once.

        A message without the topic's signature is never deleted: ``topicArn`` may be wrong, and the
        message an event.
        """
        self.count += 1
        url = shown(self._url)
        if isinstance(error, Forged):
            warn_once(
                f"the queue {url} has messages that 'topicArn' has not signed ({shown(error)}); "
                "they stay in it: check 'topicArn'"
            )
            return
        warn_once(
            f"the queue {url} has messages that are no events of Amazon SES. Check 'queueUrl'. "
            f"After {_TRIES} receives they are deleted, "
            "unless the queue has a dead-letter queue"
        )
        if _receives(message) >= _TRIES:
            self._old.append(message)

    def given_up(self) -> list[str]:
        """Return the handles of messages to delete: often received ones, if the queue has no
        dead-letter queue.
        """
        if not self._old or self._has_dead_letters():
            return []
        for message in self._old:
            text = message.get("Body", "")
            warn_once(
                f"the message {shown(message.get('MessageId'))} is deleted from the queue "
                f"{shown(self._url)}: it is no event of Amazon SES "
                f"({len(text)} characters), and the queue has no dead-letter queue"
            )
        return [message["ReceiptHandle"] for message in self._old]

    def _has_dead_letters(self) -> bool:
        try:
            asked = {"QueueUrl": self._url, "AttributeNames": ["RedrivePolicy"]}
            return "RedrivePolicy" in (
                self._queue.get_queue_attributes(**asked).get("Attributes") or {}
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _DENIED:
                raise
            self.stuck = True
            warn_once(
                f"messages that are no events of Amazon SES stay in the queue {shown(self._url)}: "
                "allow sqs:GetQueueAttributes on it, or "
                "give it a dead-letter queue"
            )
            return True


def _receives(message: Mapping[str, Any]) -> int:
    found = (message.get("Attributes") or {}).get(RECEIVES, "0")
    return int(found) if str(found).isdecimal() else 0
