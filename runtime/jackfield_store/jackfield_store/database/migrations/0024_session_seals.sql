-- Prove who is signed in to the console. Sessions last twelve hours, links ten minutes: those of an older version end here, unproven.
DELETE FROM console_sessions;
ALTER TABLE console_sessions ADD COLUMN seal {blob};
