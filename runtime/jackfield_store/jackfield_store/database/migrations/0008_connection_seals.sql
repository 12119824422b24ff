-- Proves the open values of a connection and the list of its secrets. Existing rows are sealed in the same transaction.
ALTER TABLE connections ADD COLUMN seal {blob};
