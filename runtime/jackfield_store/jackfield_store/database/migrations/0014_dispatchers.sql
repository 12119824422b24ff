-- One process at a time hands queued invocations to a broker. Its lease is by the database's clock.
CREATE TABLE dispatchers (
    name {text} NOT NULL PRIMARY KEY,
    holder {text} NOT NULL,
    held_until {double} NOT NULL
) {table};
-- How many queued invocations an instance runs at once: the dispatcher releases no more than all of them can begin soon.
ALTER TABLE instances ADD COLUMN slots {integer} NOT NULL DEFAULT 0;
