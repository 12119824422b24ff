-- What is kept of events that carry a marker (jackfield_store.journal.marks) is limited by their source, a subscription or a log, and of one
-- marker by ``whose``: source and account. What was kept before has neither.
ALTER TABLE marked_events ADD COLUMN source {text} NOT NULL DEFAULT '';
ALTER TABLE marked_events ADD COLUMN whose {text} NOT NULL DEFAULT '';
CREATE INDEX marked_events_source ON marked_events (workspace, source, received_at);
