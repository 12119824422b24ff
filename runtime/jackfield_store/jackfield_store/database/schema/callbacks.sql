-- Callbacks: addresses that want a workspace's events, and one row for each event's way to one of them.
-- ``secrets`` is sealed for the id, the URL and the origin: moved to another address, nothing is signed. ``position`` is the number up to
-- which deliveries were made; times are seconds since 1970.
CREATE TABLE callbacks (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    url {text} NOT NULL,
    origin {text} NOT NULL,
    options {text} NOT NULL,
    secrets {blob} NOT NULL,
    status {text} NOT NULL CHECK (status IN ('active', 'paused')),
    reason {text},
    position {bigint} NOT NULL,
    failing_since {double},
    warned_at {double},
    exhausted_at {double},
    probe_at {double},
    created_at {double} NOT NULL,
    updated_at {double} NOT NULL,
    PRIMARY KEY (workspace, id)
) {table};
CREATE INDEX callbacks_failing ON callbacks (workspace) WHERE failing_since IS NOT NULL;

-- ``next_at`` is when the next attempt is due, ``held_until`` until when a process makes one. ``log`` has the attempts, sealed. Rows of a
-- platform's callback stand under 'platform:' and its pattern, which is the name of no workspace: ``source`` and ``event_sequence`` are the
-- event, ``sequence`` a number of the callback, whose ``position`` is the last one given.
CREATE TABLE deliveries (
    workspace {text} NOT NULL,
    callback {text} NOT NULL,
    sequence {bigint} NOT NULL,
    id {text} NOT NULL,
    event {text} NOT NULL,
    type {text} NOT NULL,
    state {text} NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts {integer} NOT NULL DEFAULT 0,
    next_at {double} NOT NULL,
    held_until {double} NOT NULL DEFAULT 0,
    ended_at {double},
    last_status {integer},
    log {blob},
    created_at {double} NOT NULL,
    source {text},
    event_sequence {bigint},
    PRIMARY KEY (workspace, callback, sequence)
) {clustered};
CREATE UNIQUE INDEX deliveries_id ON deliveries (workspace, id);
CREATE INDEX deliveries_due ON deliveries (workspace, callback, next_at, sequence) WHERE state = 'pending';
CREATE INDEX deliveries_state ON deliveries (workspace, state, id);
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deliveries_source ON deliveries (source, callback, event_sequence) WHERE source IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (workspace, callback) WHERE state = 'dead';

-- postgresql:
ALTER TABLE deliveries SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

-- Up to which event of each workspace a platform's callback has deliveries.
CREATE TABLE callback_positions (
    callback {text} NOT NULL,
    workspace {text} NOT NULL,
    position {bigint} NOT NULL,
    PRIMARY KEY (callback, workspace)
) {clustered};
CREATE INDEX callback_positions_workspace ON callback_positions (workspace);
