-- The outcome of the last test of a connection from a file, for the values that were tested: files are read only, so it is stored here.
CREATE TABLE file_connection_tests (
    workspace {text} NOT NULL,
    name {text} NOT NULL,
    fingerprint {text} NOT NULL,
    status {text} NOT NULL,
    account_id {text},
    account_label {text},
    last_test {text},
    PRIMARY KEY (workspace, name)
) {table};
