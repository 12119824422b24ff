-- Rules of workspaces that a platform has deleted for good, by name: they bind a workspace of that name that is created later
-- (jackfield_store.access.kept_rules).
CREATE TABLE kept_rules (
    name {text} NOT NULL PRIMARY KEY,
    rules {text} NOT NULL,
    seal {blob} NOT NULL
) {table};
