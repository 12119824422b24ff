"""Table of the states of a call's row in the database. In each state, each event leads to a state,
by one statement.

``recording/states`` has the states known to the process that runs the call. No code runs from this
table: it describes all statements together, and a test executes each of them in each state.
"""

from __future__ import annotations

from collections.abc import Mapping

NONE, WAITING, QUEUED, CLAIMED, RUNNING = "none", "waiting", "queued", "claimed", "running"
JOB, POLLING, DOUBT, ENDED = "job", "polling", "in doubt", "ended"
STATES: Mapping[str, tuple[str, str]] = {
    NONE: ("There is no row.", ""),
    WAITING: ("It waits until a person approves it.", "status = 'queued' AND available_at IS NULL"),
    QUEUED: (
        "It waits for a worker.",
        "status = 'queued' AND available_at IS NOT NULL AND owner IS NULL",
    ),
    CLAIMED: (
        "A process has taken it and has not begun it.",
        "status = 'queued' AND available_at IS NOT NULL AND owner IS NOT NULL",
    ),
    RUNNING: ("A process runs it.", "status = 'running' AND job IS NULL"),
    JOB: (
        "Its job waits for the next poll.",
        "status = 'running' AND job IS NOT NULL AND owner IS NULL",
    ),
    POLLING: (
        "A process polls its job.",
        "status = 'running' AND job IS NOT NULL AND owner IS NOT NULL",
    ),
    DOUBT: ("Nobody knows whether it has taken effect.", "status = 'in_doubt'"),
    ENDED: ("It has succeeded or failed.", "status IN ('succeeded', 'failed')"),
}
"""States, each with its sentence and its condition in SQL."""

TABLE: Mapping[tuple[str, str], tuple[str, str]] = {
    (NONE, "begin"): (RUNNING, "statements.INSERT"),
    (NONE, "refuse"): (ENDED, "statements.INSERT_ONCE"),
    (NONE, "queue"): (QUEUED, "statements.insert_queued"),
    (NONE, "ask for an approval"): (WAITING, "statements.insert_queued"),
    (WAITING, "approve"): (QUEUED, "approvals._APPROVE"),
    (WAITING, "decline, expire"): (ENDED, "approvals._END"),
    (WAITING, "cancel"): (ENDED, "statements.END_QUEUED"),
    (QUEUED, "claim"): (CLAIMED, "statements.CLAIM"),
    (QUEUED, "claim by its message"): (CLAIMED, "statements.CLAIM_ONE"),
    (QUEUED, "release to a broker"): (QUEUED, "statements.MARK_RELEASED"),
    (QUEUED, "recall what was released long ago"): (QUEUED, "statements.RECALL"),
    (QUEUED, "recall"): (QUEUED, "statements.RECALL_ONE"),
    (QUEUED, "cancel, overdue"): (ENDED, "statements.END_QUEUED"),
    (QUEUED, "cancel, overdue, as an earlier run may have sent it"): (
        DOUBT,
        "statements.END_QUEUED",
    ),
    (CLAIMED, "begin"): (RUNNING, "statements.BEGIN_QUEUED"),
    (CLAIMED, "give back"): (QUEUED, "statements.GIVE_BACK"),
    (CLAIMED, "give back unopened"): (QUEUED, "statements.RELEASE"),
    (CLAIMED, "give all back"): (QUEUED, "statements.UNCLAIM_ALL"),
    (CLAIMED, "nothing was sent"): (QUEUED, "statements.UNCLAIM"),
    (CLAIMED, "postpone"): (QUEUED, "statements.POSTPONE"),
    (CLAIMED, "end"): (ENDED, "statements.FINISH"),
    (CLAIMED, "end in doubt, as an earlier delivery may have sent it"): (
        DOUBT,
        "statements.FINISH",
    ),
    (CLAIMED, "cancel, overdue"): (ENDED, "statements.END_QUEUED"),
    (CLAIMED, "cancel, overdue, as an earlier run may have sent it"): (
        DOUBT,
        "statements.END_QUEUED",
    ),
    (CLAIMED, "owner lost"): (QUEUED, "statements.REDELIVER"),
    (CLAIMED, "owner lost too often"): (ENDED, "statements.RECOVERED"),
    (CLAIMED, "owner lost too often, as an earlier run may have sent it"): (
        DOUBT,
        "statements.RECOVERED",
    ),
    (RUNNING, "end"): (ENDED, "statements.FINISH"),
    (RUNNING, "end in doubt"): (DOUBT, "statements.FINISH"),
    (RUNNING, "nothing was sent"): (QUEUED, "statements.UNCLAIM"),
    (RUNNING, "later, says its action"): (QUEUED, "statements.REQUEUE"),
    (RUNNING, "ask another process to cancel"): (RUNNING, "statements.ASK_TO_CANCEL"),
    (RUNNING, "note that it is cancelled here"): (RUNNING, "statements.NOTE_CANCEL"),
    (RUNNING, "its process knows that it is to cancel"): (RUNNING, "statements.CANCEL_REPORTED"),
    (RUNNING, "its job has started"): (JOB, "jobs.STORE"),
    (RUNNING, "owner lost"): (QUEUED, "statements.REDELIVER"),
    (RUNNING, "owner lost, of a write"): (DOUBT, "statements.RECOVERED"),
    (RUNNING, "owner lost, of what may be repeated"): (ENDED, "statements.RECOVERED"),
    (JOB, "claim"): (POLLING, "jobs.CLAIM"),
    (JOB, "cancel"): (JOB, "jobs.CANCEL"),
    (POLLING, "cancel"): (POLLING, "jobs.CANCEL"),
    (POLLING, "poll"): (JOB, "jobs.GIVE_BACK"),
    (POLLING, "end"): (ENDED, "jobs.FINISH"),
    (POLLING, "end in doubt"): (DOUBT, "jobs.FINISH"),
    (POLLING, "owner lost"): (JOB, "jobs.RETURNED"),
    (DOUBT, "resolve, evidence"): (ENDED, "statements.RESOLVE"),
    (DOUBT, "its request is sent again"): (DOUBT, "statements.ASK"),
    (DOUBT, "its request was sent again"): (DOUBT, "statements.NOTE_ASKED"),
    (DOUBT, "queue its request again"): (QUEUED, "statements.QUEUE_AGAIN"),
    (DOUBT, "its inputs outlive their retention"): (DOUBT, "upkeep._FORGET"),
    (DOUBT, "late end"): (ENDED, "statements.CORRECT"),
    (DOUBT, "late end in doubt"): (DOUBT, "statements.CORRECT"),
    (DOUBT, "a look is told"): (DOUBT, "doubts._NOTE"),
    (DOUBT, "its function still runs"): (DOUBT, "doubts._MAY_ANSWER"),
    (DOUBT, "its twin may begin"): (DOUBT, "twins._FREE"),
    (ENDED, "late end"): (ENDED, "statements.CORRECT"),
    (ENDED, "late end in doubt"): (DOUBT, "statements.CORRECT"),
    (ENDED, "its request was sent again, and is settled"): (ENDED, "statements.NOTE_ASKED"),
    (ENDED, "a person overrules evidence"): (ENDED, "statements.OVERRULE"),
    (ENDED, "its key is a day old"): (ENDED, "statements.FREE_EXPIRED_KEY"),
    (ENDED, "a policy decides on its output"): (ENDED, "undecided._DECIDE"),
    (ENDED, "revive"): (QUEUED, "dead_letters._REDRIVE"),
    (ENDED, "retention"): (NONE, "upkeep._DELETE"),
}
