-- Jobs: invocations whose provider goes on after the call. ``job`` has the handle and what a poll needs, sealed, from the start's answer to
-- the end; ``job_until`` is when the job counts as lost. While no process polls it, ``owner`` is NULL and ``available_at`` the next poll.
ALTER TABLE invocations ADD COLUMN job {blob};
ALTER TABLE invocations ADD COLUMN job_until {double};
ALTER TABLE invocations ADD COLUMN progress_fraction {double};
ALTER TABLE invocations ADD COLUMN progress_text {text};
CREATE INDEX invocations_jobs ON invocations (available_at) WHERE job IS NOT NULL AND owner IS NULL;
