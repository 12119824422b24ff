-- What a cursor of events is compared with (jackfield.events.marks): a digest of an event and of all before it, and that of the last one
-- that was deleted, after its number. Events of before have none, and are known by their IDs.
ALTER TABLE events ADD COLUMN mark {text};
ALTER TABLE event_heads ADD COLUMN purged_mark {text};
-- Numbers that were given up, by workspace: a cursor is known by its mark.
DELETE FROM dispatchers WHERE name LIKE 'events lost: %';
