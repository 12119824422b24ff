-- Looks for evidence of doubts, counted by the UTC day (jackfield_store.journal.doubts), beside events and deliveries.
ALTER TABLE event_counts ADD COLUMN looks {bigint} NOT NULL DEFAULT 0;
