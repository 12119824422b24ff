-- Function of a program, of whose call it is; NULL: of a connector's. Only a process that declares the function looks for it.
ALTER TABLE doubts ADD COLUMN function {text};
DROP INDEX doubts_due;
CREATE INDEX doubts_due ON doubts (look_at) WHERE look_at IS NOT NULL AND function IS NULL;
CREATE INDEX doubts_of_functions ON doubts (workspace, function, look_at) WHERE function IS NOT NULL;
