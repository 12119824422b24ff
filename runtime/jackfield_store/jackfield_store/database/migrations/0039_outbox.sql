-- sqlite:
-- An event costs its transaction one page less: the outbox's IDs are no AUTOINCREMENT any more, whose counter is a row of another table. An
-- ID is given again once the outbox is empty, which is as good, since rows are read and deleted in one transaction. A table that triggers
-- insert into cannot be renamed, so its rows are kept in another one meanwhile.
CREATE TEMP TABLE outbox_kept AS SELECT * FROM outbox;
-- sqlite:
DROP TABLE outbox;
-- sqlite:
CREATE TABLE outbox (
    id {bigint} PRIMARY KEY,
    workspace {text} NOT NULL,
    type {text} NOT NULL,
    subject {text} NOT NULL,
    at {double} NOT NULL,
    facts {text} NOT NULL,
    event_id {text},
    sealed {blob}
) {table};
-- sqlite:
INSERT INTO outbox (id, workspace, type, subject, at, facts, event_id, sealed)
SELECT id, workspace, type, subject, at, facts, event_id, sealed FROM outbox_kept;
-- sqlite:
DROP TABLE outbox_kept;
-- sqlite:
CREATE INDEX outbox_workspace ON outbox (workspace);
