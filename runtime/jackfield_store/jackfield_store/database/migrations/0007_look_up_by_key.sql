-- A look-up in the journal by idempotency key read every entry of the workspace. Entries without a key are not in the index.
CREATE INDEX invocations_by_key ON invocations (workspace, idempotency_key, created_at, id) WHERE idempotency_key IS NOT NULL;
