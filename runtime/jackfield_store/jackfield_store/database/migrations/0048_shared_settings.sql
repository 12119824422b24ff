-- What all processes on a database share (jackfield.database.shared_settings), unless a variable of a process says something else.
CREATE TABLE settings (
    name {text} NOT NULL PRIMARY KEY,
    value {text} NOT NULL,
    changed_at {double} NOT NULL,
    seal {blob} NOT NULL
) {table};
-- What a process has instead: others say how they differ. Null for one of an older jackfield.
ALTER TABLE instances ADD COLUMN settings {text};
