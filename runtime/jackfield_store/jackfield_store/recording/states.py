"""Table of the states of one call's row as its process sees it: in each state, each event leads to
a state and to a statement. ``Record`` acts on it.
"""

from __future__ import annotations

from collections.abc import Mapping

DRAFT, UNSEEN, CLAIMED, DEFERRED, UNSURE = "draft", "unseen", "claimed", "deferred", "unsure"
BEGUN, RETURNING, LEFT, DONE = "begun", "returning", "left", "done"
STATES: Mapping[str, str] = {
    DRAFT: "It has no row.",
    UNSEEN: "It has no row, and its key was not looked for yet.",
    CLAIMED: "Its row was taken from the queue.",
    DEFERRED: "It runs. Its row is written with the next commit, by its end if that comes first.",
    UNSURE: "A begin was tried, and nobody knows yet whether its row was written.",
    BEGUN: "It runs, and its row says so.",
    RETURNING: "Its row goes back to the queue.",
    LEFT: "Its outcome is another row's, or is left to whoever polls its job.",
    DONE: "Its end was written, or is owed.",
}
BEGAN = frozenset({DEFERRED, BEGUN})
"""States in which the call may have sent something."""
THERE = frozenset({DEFERRED, UNSURE, BEGUN, RETURNING})
"""States in which the call's row may be open in the database: an outcome that cannot be written
stays outstanding.
"""

PUT_OFF, LOOKED_FOR, ANSWERED, SET_ASIDE = "key put off", "key looked for", "answered", "set aside"
BEGIN, BEGIN_LAZILY, WRITTEN, KEY_HELD, REFUSED, UNKNOWN = (
    "begin",
    "begin lazily",
    "written",
    "key is held",
    "refused",
    "unknown",
)
PREPARES, PREPARED, TAKEN, RUNS_HERE = "prepares", "prepared", "taken by another", "runs here"
JOB_STORED, END, NOT_YET, NOTHING_SENT = "job stored", "end", "not yet", "nothing sent"
EVENTS: Mapping[str, str] = {
    PUT_OFF: "The look for its key is put off until it begins or ends.",
    LOOKED_FOR: "Its key is looked for after all.",
    ANSWERED: (
        "Another row answers it: that of its key, of its twin, or its own, which waits for "
        "an approval."
    ),
    SET_ASIDE: "It does not begin, and leaves no row.",
    BEGIN: "Its row is to be on the disk before it sends anything.",
    BEGIN_LAZILY: "Its row may be written later: it is no write, and has no key.",
    WRITTEN: "The database says that its row was written.",
    KEY_HELD: (
        "Another row has its key, or is its twin; or what a gate writes with the begin has "
        "undone it."
    ),
    REFUSED: "The database refuses the begin: nothing was written.",
    UNKNOWN: "The database has not said what became of the commit.",
    PREPARES: "The key for its Result is being fetched from a service.",
    PREPARED: "The key is there.",
    TAKEN: "Its row is another process's, or has ended.",
    RUNS_HERE: "This process runs it already.",
    JOB_STORED: "The handle of its job is on the disk.",
    END: "It has a Result.",
    NOT_YET: "Its action asks to be called later.",
    NOTHING_SENT: "Its process stops, and it was taken from the queue and has sent nothing.",
}

WHOLE, REPLACE, FINISH, REQUEUE, GIVE_BACK = "whole", "replace", "finish", "requeue", "give back"
STATEMENTS: Mapping[str, str] = {
    WHOLE: "Write the whole row with its end, unless it is there: then its end alone.",
    REPLACE: (
        "Write the whole row in the place of its begin, if no commit has taken that yet; "
        "else its end."
    ),
    FINISH: "Write its end.",
    REQUEUE: "Put its row back into the queue for later; its end, if that may not be.",
    GIVE_BACK: "Put its row back into the queue as it was.",
}

TABLE: Mapping[tuple[str, str], tuple[str, str | None]] = {
    (DRAFT, PUT_OFF): (UNSEEN, None),
    (UNSEEN, LOOKED_FOR): (DRAFT, None),
    (DRAFT, ANSWERED): (LEFT, None),
    (DRAFT, SET_ASIDE): (LEFT, None),
    (DRAFT, BEGIN): (UNSURE, None),
    (UNSEEN, BEGIN): (UNSURE, None),
    (UNSURE, WRITTEN): (BEGUN, None),
    (UNSURE, KEY_HELD): (DRAFT, None),
    (UNSURE, REFUSED): (DRAFT, None),
    (UNSURE, UNKNOWN): (UNSURE, None),
    (DRAFT, BEGIN_LAZILY): (DEFERRED, None),
    (CLAIMED, PREPARES): (RETURNING, None),
    (RETURNING, PREPARED): (CLAIMED, None),
    (CLAIMED, RUNS_HERE): (LEFT, None),
    (CLAIMED, WRITTEN): (BEGUN, None),
    (CLAIMED, REFUSED): (RETURNING, None),
    (CLAIMED, TAKEN): (CLAIMED, None),
    (BEGUN, JOB_STORED): (LEFT, None),
    (DEFERRED, JOB_STORED): (LEFT, None),
    (DRAFT, END): (DONE, WHOLE),
    (UNSEEN, END): (DONE, WHOLE),
    (UNSURE, END): (DONE, WHOLE),
    (DEFERRED, END): (DONE, REPLACE),
    (CLAIMED, END): (DONE, FINISH),
    (BEGUN, END): (DONE, FINISH),
    (RETURNING, END): (DONE, GIVE_BACK),
    (CLAIMED, NOT_YET): (DONE, REQUEUE),
    (BEGUN, NOT_YET): (DONE, REQUEUE),
    (RETURNING, NOT_YET): (DONE, GIVE_BACK),
    (CLAIMED, NOTHING_SENT): (DONE, GIVE_BACK),
    (BEGUN, NOTHING_SENT): (DONE, GIVE_BACK),
    (RETURNING, NOTHING_SENT): (DONE, GIVE_BACK),
}
"""Next state and statement for each state and event. Missing combinations cannot occur. A row that
was left never changes again; a failed end of a finished row is retried unchanged.
"""
