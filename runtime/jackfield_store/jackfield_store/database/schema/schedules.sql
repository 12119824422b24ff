-- Schedules: an invocation at given times. ``sealed`` has the invocation and the caller whose rights it runs with, bound to the timing.
-- ``next_at`` is the next slot that nothing is recorded of; ``wake_at`` is when a scheduler looks at the schedule: NULL while none does.
-- ``claim`` counts the schedulers that took it, so that one that was overtaken changes nothing.
CREATE TABLE schedules (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    name {text} NOT NULL,
    connector {text} NOT NULL,
    action {text} NOT NULL,
    effect {text},
    connection {text},
    timing {text} NOT NULL,
    missed {text} NOT NULL,
    overlap {text} NOT NULL,
    status {text} NOT NULL,
    reason {text},
    caller {text},
    token {text},
    version {integer} NOT NULL,
    claim {integer} NOT NULL,
    next_at {double},
    wake_at {double},
    last_invocation {text},
    sealed {blob} NOT NULL,
    created_at {double} NOT NULL,
    changed_at {double} NOT NULL,
    PRIMARY KEY (workspace, id)
) {table};
CREATE UNIQUE INDEX schedules_name ON schedules (workspace, name);
CREATE INDEX schedules_wake ON schedules (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX schedules_stopped ON schedules (workspace) WHERE status = 'stopped';

-- One row for each slot that is past, or for several in a row that did not run: ``slots`` of them from ``slot`` to ``last``.
CREATE TABLE schedule_slots (
    workspace {text} NOT NULL,
    schedule_id {text} NOT NULL,
    slot {double} NOT NULL,
    last {double} NOT NULL,
    slots {integer} NOT NULL,
    outcome {text} NOT NULL,
    reason {text},
    invocation_id {text},
    PRIMARY KEY (workspace, schedule_id, slot)
) {table};
CREATE INDEX schedule_slots_waiting ON schedule_slots (workspace, schedule_id, slot) WHERE outcome = 'waiting';
