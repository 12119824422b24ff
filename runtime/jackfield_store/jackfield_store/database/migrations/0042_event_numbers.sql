-- Where a workspace's events were last numbered, and when by the database's clock: a number that may have been given in what a database
-- lost is given to no other event (jackfield.database.lost_numbers).
ALTER TABLE event_heads ADD COLUMN numbered_on {text};
ALTER TABLE event_heads ADD COLUMN numbered_at {double} NOT NULL DEFAULT 0;
-- postgresql:
-- An event's ID is made of this: it is the same if the event has to be numbered again.
ALTER TABLE outbox ADD COLUMN salt {text} NOT NULL DEFAULT gen_random_uuid()::text;
-- sqlite:
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
    sealed {blob},
    salt {text} NOT NULL DEFAULT (LOWER(HEX(RANDOMBLOB(16))))
) {table};
-- sqlite:
INSERT INTO outbox (id, workspace, type, subject, at, facts, event_id, sealed)
SELECT id, workspace, type, subject, at, facts, event_id, sealed FROM outbox_kept;
-- sqlite:
DROP TABLE outbox_kept;
-- sqlite:
CREATE INDEX outbox_workspace ON outbox (workspace);
