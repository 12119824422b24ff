-- Somebody wants an invocation cancelled that another process runs. Hardly any row has it, so the index costs the others nothing.
ALTER TABLE invocations ADD COLUMN cancel_at {double};
CREATE INDEX invocations_cancel ON invocations (owner) WHERE cancel_at IS NOT NULL;
