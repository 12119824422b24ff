-- Dead letters in the order of the journal's list.
CREATE INDEX invocations_dead_created ON invocations (workspace, created_at, id) WHERE dead_at IS NOT NULL;
