-- When a queued invocation was handed to a broker. A claim clears it, so an invocation that returns to the queue is released again. The
-- index holds only what is on its way to a worker.
ALTER TABLE invocations ADD COLUMN released_at {double};
CREATE INDEX invocations_released ON invocations (released_at) WHERE status = 'queued' AND released_at IS NOT NULL;
