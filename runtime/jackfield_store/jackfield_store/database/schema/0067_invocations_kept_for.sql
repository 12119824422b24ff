-- Seconds for which the row of a function's call holds its key after the last word about it, and is kept at least; NULL: as settings say.
ALTER TABLE invocations ADD COLUMN kept_for {double};
