-- A page that shows a call looks for what has become of the name of its connection since (jackfield_store.access.connection_names).
CREATE INDEX audit_entries_names ON audit_entries (workspace, object, sequence)
WHERE event IN ('connection.created', 'connection.renamed', 'connection.removed');
