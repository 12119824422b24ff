-- The connect session for which a connection is stored before its person has approved it (jackfield_store.connections.awaited); NULL for
-- all others.
ALTER TABLE connections ADD COLUMN session TEXT;
CREATE INDEX connections_awaited ON connections (workspace) WHERE session IS NOT NULL;
