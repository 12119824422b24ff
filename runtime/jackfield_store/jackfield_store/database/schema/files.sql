-- Stored files. ``sealed`` is the encrypted key and digest of the content; it is NULL while the content arrives and while it is deleted.
CREATE TABLE files (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    name {text},
    content_type {text} NOT NULL,
    size {bigint} NOT NULL,
    sealed {blob},
    caller {text},
    created_at {double} NOT NULL,
    expires_at {double} NOT NULL,
    PRIMARY KEY (workspace, id)
) {table};
CREATE INDEX files_expiry ON files (expires_at);
CREATE INDEX files_created ON files (workspace, created_at, id);

-- Number and bytes of a workspace's files, unfinished ones included. Each change of ``files`` changes this row in the same transaction.
CREATE TABLE file_usage (
    workspace {text} NOT NULL PRIMARY KEY,
    files {bigint} NOT NULL,
    bytes {bigint} NOT NULL
) {table};

-- Files that queued invocations refer to. They do not expire before the invocation has ended.
CREATE TABLE file_holds (
    workspace {text} NOT NULL,
    file_id {text} NOT NULL,
    invocation_id {text} NOT NULL,
    PRIMARY KEY (workspace, file_id, invocation_id)
) {table};
