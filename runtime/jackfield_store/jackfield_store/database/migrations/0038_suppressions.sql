-- ``blocks`` of an outcome says why nothing more is sent to its recipient (jackfield.journal.suppressions): 1 for a bounce, 2 for a
-- complaint. Messages are counted by the connection over which they went.
DROP INDEX outcomes_blocked;
CREATE INDEX outcomes_suppressing ON outcomes (workspace, part) WHERE blocks > 0;
CREATE INDEX outcomes_suppressing_at ON outcomes (workspace, at, reference) WHERE blocks > 0;
ALTER TABLE invocation_references ADD COLUMN connection {text};
CREATE INDEX invocation_references_connection ON invocation_references (workspace, connection, id) WHERE connection IS NOT NULL;
