-- The ID of this installation is part of what each wrapped data key is bound to: a row of another installation cannot be unwrapped here.
CREATE TABLE installation (
    id {text} NOT NULL PRIMARY KEY
) {table};
-- sqlite:
INSERT INTO installation (id) VALUES (lower(hex(randomblob(16))));
-- postgresql:
INSERT INTO installation (id) VALUES (replace(CAST(gen_random_uuid() AS TEXT), '-', ''));

-- All processes drop the unwrapped copies of a data key when ``forgotten_at`` changes.
CREATE TABLE data_keys (
    workspace {text} NOT NULL,
    key_id {text} NOT NULL,
    wrapped {blob} NOT NULL,
    master_key_id {text} NOT NULL,
    created_at {double} NOT NULL,
    retired_at {double},
    forgotten_at {double},
    PRIMARY KEY (workspace, key_id)
) {table};
-- one key for new writes: who comes second to make one finds the first
CREATE UNIQUE INDEX data_keys_current ON data_keys (workspace) WHERE retired_at IS NULL;
CREATE INDEX data_keys_master ON data_keys (master_key_id);

-- Key services of single workspaces, under the seal of the workspace 'default'.
CREATE TABLE workspace_wrappers (
    workspace {text} NOT NULL PRIMARY KEY,
    wrappers {text} NOT NULL,
    seal {blob} NOT NULL
) {table};
