-- Entries are only ever added. Each digest covers the text of its entry and the digest before it; the head says which entry is the last.
CREATE TABLE audit_entries (
    workspace {text} NOT NULL,
    sequence {integer} NOT NULL,
    actor {text} NOT NULL,
    event {text} NOT NULL,
    object {text} NOT NULL,
    entry {text} NOT NULL,
    digest {text} NOT NULL,
    PRIMARY KEY (workspace, sequence)
) {table};
CREATE INDEX audit_entries_actor ON audit_entries (workspace, actor, sequence);
CREATE INDEX audit_entries_object ON audit_entries (workspace, object, sequence);

CREATE TABLE audit_heads (
    workspace {text} NOT NULL PRIMARY KEY,
    sequence {integer} NOT NULL,
    digest {text} NOT NULL
) {table};
