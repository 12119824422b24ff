-- Keys of key services (jackfield.database.data_keys). The id of this installation is part of what each wrapped data key is bound to: a
-- row of another installation cannot be unwrapped here. A workspace may have wrappers of its own, under the seal of the workspace 'default'.
-- All processes drop the unwrapped copies of a data key when forgotten_at changes.
CREATE TABLE installation (
    id {text} NOT NULL PRIMARY KEY
) {table};
-- sqlite:
INSERT INTO installation (id) VALUES (lower(hex(randomblob(16))));
-- postgresql:
INSERT INTO installation (id) VALUES (replace(CAST(gen_random_uuid() AS TEXT), '-', ''));

CREATE TABLE workspace_wrappers (
    workspace {text} NOT NULL PRIMARY KEY,
    wrappers {text} NOT NULL,
    seal {blob} NOT NULL
) {table};

ALTER TABLE data_keys ADD COLUMN forgotten_at {double};
