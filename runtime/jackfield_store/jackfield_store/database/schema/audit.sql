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
-- for pages that show a call, and what has become of the name of its connection since
CREATE INDEX audit_entries_names ON audit_entries (workspace, object, sequence)
WHERE event IN ('connection.created', 'connection.renamed', 'connection.removed');

-- sqlite:
-- Each entry of the audit log is an event, too.
CREATE TRIGGER audit_entries_event AFTER INSERT ON audit_entries
BEGIN
    INSERT INTO outbox (workspace, type, subject, at, facts)
    VALUES (NEW.workspace, 'audit.' || NEW.event, NEW.object, (julianday('now') - 2440587.5) * 86400.0, NEW.entry);
END;
-- postgresql:
CREATE FUNCTION audit_entries_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
INSERT INTO outbox (workspace, type, subject, at, facts)
VALUES (NEW.workspace, 'audit.' || NEW.event, NEW.object, EXTRACT(EPOCH FROM clock_timestamp()), NEW.entry);
RETURN NULL;
END
$$;
-- postgresql:
CREATE TRIGGER audit_entries_event AFTER INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION audit_entries_told();

-- ``seal`` proves the head of a workspace's log.
CREATE TABLE audit_heads (
    workspace {text} NOT NULL PRIMARY KEY,
    sequence {integer} NOT NULL,
    digest {text} NOT NULL,
    seal {blob}
) {table};
