-- postgresql:
-- Events: what happened, for callbacks and readers. A trigger writes an event into the outbox, in the transaction that made it true, whoever
-- changes the row. One process at a time then takes a workspace's rows from the outbox, in the order of their commits as it sees them, and
-- numbers them (``events``), so that no reader can pass a number that is not committed yet. ``facts`` are columns that stand unsealed in the
-- row that they come from; ``data`` of an event is sealed. What a provider has sent is ``sealed`` under the ID that the event will have. An
-- event's ID is made of ``salt``: it is the same if the event has to be numbered again.
CREATE TABLE outbox (
    id {bigint_identity},
    workspace {text} NOT NULL,
    type {text} NOT NULL,
    subject {text} NOT NULL,
    at {double} NOT NULL,
    facts {text} NOT NULL,
    event_id {text},
    sealed {blob},
    salt {text} NOT NULL DEFAULT gen_random_uuid()::text
) {table};
-- postgresql:
CREATE INDEX outbox_workspace ON outbox (workspace, id);
-- postgresql:
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
-- sqlite:
-- No AUTOINCREMENT, whose counter is a row of another table: an event costs its transaction one page less. An ID is given again once the
-- outbox is empty, which is as good, since rows are read and deleted in one transaction.
CREATE TABLE outbox (
    id {bigint} PRIMARY KEY,
    workspace {text} NOT NULL,
    type {text} NOT NULL,
    subject {text} NOT NULL,
    at {double} NOT NULL,
    facts {text} NOT NULL,
    event_id {text},
    sealed {blob},
    salt {text} NOT NULL DEFAULT (LOWER(HEX(RANDOMBLOB(16))))
) {table};
-- sqlite:
CREATE INDEX outbox_workspace ON outbox (workspace);

-- ``mark`` is a digest of an event and of all before it, with which a cursor is compared.
CREATE TABLE events (
    workspace {text} NOT NULL,
    sequence {bigint} NOT NULL,
    id {text} NOT NULL,
    type {text} NOT NULL,
    subject {text} NOT NULL,
    at {double} NOT NULL,
    data {blob} NOT NULL,
    mark {text},
    PRIMARY KEY (workspace, sequence)
) {clustered};
CREATE UNIQUE INDEX events_id ON events (workspace, id);

-- ``last`` is the highest number given, ``purged`` the highest one deleted, ``purged_mark`` its mark, ``size`` the bytes of the events
-- between. ``numbered_on`` and ``numbered_at``: where a workspace's events were last numbered, and when by the database's clock; a number that
-- may have been given in what a database lost is given to no other event.
CREATE TABLE event_heads (
    workspace {text} NOT NULL PRIMARY KEY,
    last {bigint} NOT NULL,
    purged {bigint} NOT NULL,
    size {bigint} NOT NULL,
    numbered_on {text},
    numbered_at {double} NOT NULL DEFAULT 0,
    purged_mark {text}
) {table};

-- Events that were numbered, deliveries that were taken and looks for evidence of doubts, by the UTC day of each; it outlasts all three.
CREATE TABLE event_counts (
    workspace {text} NOT NULL,
    day {bigint} NOT NULL,
    events {bigint} NOT NULL,
    deliveries {bigint} NOT NULL,
    looks {bigint} NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, day)
) {clustered};
