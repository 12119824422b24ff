-- Doubts that evidence may settle. A row is written in the transaction that begins a call whose action declares
-- evidence, and deleted by the one that ends it, unless it ends in doubt. Then it lives as long as its invocation. ``facts`` are what looks
-- need, ``log`` what they found; both are sealed. ``look_at`` is NULL while the call runs, and once nobody looks by himself any more.
CREATE TABLE doubts (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    facts {blob} NOT NULL,
    log {blob},
    since {double},
    look_at {double},
    claim {integer} NOT NULL DEFAULT 0,
    looks {integer} NOT NULL DEFAULT 0,
    contradicted_at {double},
    PRIMARY KEY (workspace, id)
) {table};
CREATE INDEX doubts_due ON doubts (look_at) WHERE look_at IS NOT NULL;

-- Finds the doubt of a marker; a row is written when a call ends in doubt, and lives as long as that.
CREATE TABLE doubt_markers (
    workspace {text} NOT NULL,
    digest {text} NOT NULL,
    id {text} NOT NULL,
    PRIMARY KEY (workspace, digest)
) {table};
CREATE INDEX doubt_markers_id ON doubt_markers (workspace, id);

-- Events that carry a marker and name no known invocation: they may overtake the doubt, so they are kept for 72 hours. ``digest`` is of the
-- marker, ``reference`` of the provider's ID. Their number is limited by ``source``, a subscription or a log, and of one marker by ``whose``,
-- source and account.
CREATE TABLE marked_events (
    workspace {text} NOT NULL,
    digest {text} NOT NULL,
    reference {text} NOT NULL,
    received_at {double} NOT NULL,
    sealed {blob} NOT NULL,
    source {text} NOT NULL DEFAULT '',
    whose {text} NOT NULL DEFAULT '',
    PRIMARY KEY (workspace, digest, reference)
) {table};
CREATE INDEX marked_events_received ON marked_events (workspace, received_at);
CREATE INDEX marked_events_source ON marked_events (workspace, source, received_at);

-- Readings of a provider's own log of requests, as evidence of doubts. One reading serves all doubts with
-- the same ``digest``: of a connection, an operation, a region and a time. It began at ``began_at`` and goes on at ``page``; ``complete_at`` is
-- when the last whole one had begun, ``refused`` the code of an error that others would meet, too. Nothing of it is secret, and whoever changes
-- it only keeps doubts open. record_paces says when the next page may be read of the log of one account and region, for all workspaces.
CREATE TABLE record_reads (
    workspace {text} NOT NULL,
    digest {text} NOT NULL,
    page {text},
    began_at {double},
    changed_at {double} NOT NULL,
    complete_at {double},
    refused {text},
    PRIMARY KEY (workspace, digest)
) {table};

-- When the next page may be read of the log of one account and region, for all workspaces.
CREATE TABLE record_paces (
    place {text} NOT NULL,
    next_at {double} NOT NULL,
    PRIMARY KEY (place)
) {table};
