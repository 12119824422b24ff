-- Doubts that evidence may settle (jackfield_store.journal.doubts). A row is written in the transaction that begins a call whose action declares
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
