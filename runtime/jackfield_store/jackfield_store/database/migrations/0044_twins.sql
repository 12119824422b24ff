-- Digest of a write without an idempotency key: one that overlaps it is answered by it (jackfield.recording.twins).
ALTER TABLE invocations ADD COLUMN twin {text};
CREATE UNIQUE INDEX invocations_twin ON invocations (workspace, twin) WHERE twin IS NOT NULL AND status IN ('running', 'in_doubt');
CREATE INDEX invocations_twins ON invocations (workspace, twin, settled_at) WHERE twin IS NOT NULL;
