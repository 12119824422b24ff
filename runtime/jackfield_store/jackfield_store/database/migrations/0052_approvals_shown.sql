-- What is shown of an approval, sealed when it is asked for: the columns of a row, and of its call, can be changed by whoever writes to the
-- database (jackfield_store.recording.decisions). Rows of an older jackfield have none.
ALTER TABLE approvals ADD COLUMN about {blob};
