-- Every table but workspaces, instances and schema_migrations begins its key with the workspace: no row is found without.
-- Times are seconds since 1970, UTC. What is called sealed is AES-256-GCM by the workspace's data key.

CREATE TABLE workspaces (
    name {text} NOT NULL PRIMARY KEY,
    created_at {double} NOT NULL,
    settings {text} NOT NULL DEFAULT '{}'
) {table};

CREATE TABLE data_keys (
    workspace {text} NOT NULL,
    key_id {text} NOT NULL,
    wrapped {blob} NOT NULL,
    master_key_id {text} NOT NULL,
    created_at {double} NOT NULL,
    retired_at {double},
    PRIMARY KEY (workspace, key_id)
) {table};
-- one key for new writes: who comes second to make one finds the first
CREATE UNIQUE INDEX data_keys_current ON data_keys (workspace) WHERE retired_at IS NULL;
CREATE INDEX data_keys_master ON data_keys (master_key_id);

CREATE TABLE connections (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    name {text} NOT NULL,
    type {text} NOT NULL,
    version {integer} NOT NULL,
    public_values {text} NOT NULL,
    status {text} NOT NULL,
    account_id {text},
    account_label {text},
    last_test {text},
    created_at {double} NOT NULL,
    updated_at {double} NOT NULL,
    PRIMARY KEY (workspace, id)
) {table};
CREATE UNIQUE INDEX connections_name ON connections (workspace, name);
CREATE INDEX connections_type ON connections (workspace, type, name);

CREATE TABLE connection_secrets (
    workspace {text} NOT NULL,
    connection_id {text} NOT NULL,
    field {text} NOT NULL,
    version {integer} NOT NULL,
    sealed {blob} NOT NULL,
    PRIMARY KEY (workspace, connection_id, field, version),
    FOREIGN KEY (workspace, connection_id) REFERENCES connections (workspace, id) ON DELETE CASCADE
) {table};

-- The digest alone is the key: the same external ID in two workspaces is what must be found.
CREATE TABLE external_ids (
    digest {text} NOT NULL PRIMARY KEY,
    workspace {text} NOT NULL,
    connection_id {text} NOT NULL
) {table};
CREATE INDEX external_ids_connection ON external_ids (workspace, connection_id);

CREATE TABLE tokens (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    name {text} NOT NULL,
    scope {text} NOT NULL,
    digest {text} NOT NULL,
    rules {text} NOT NULL,
    created_at {double} NOT NULL,
    expires_at {double},
    revoked_at {double},
    last_used_at {double},
    PRIMARY KEY (workspace, id)
) {table};
CREATE UNIQUE INDEX tokens_digest ON tokens (digest);

-- What is kept of a session, or of a link that begins one, is a digest.
CREATE TABLE console_sessions (
    workspace {text} NOT NULL,
    digest {text} NOT NULL,
    kind {text} NOT NULL CHECK (kind IN ('link', 'session')),
    identity {text} NOT NULL,
    created_at {double} NOT NULL,
    seen_at {double} NOT NULL,
    expires_at {double} NOT NULL,
    PRIMARY KEY (workspace, digest)
) {table};

CREATE TABLE invocations (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    status {text} NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'in_doubt')),
    connector {text} NOT NULL,
    connector_version {text},
    action {text} NOT NULL,
    effect {text},
    connection {text},
    caller {text},
    idempotency_key {text},
    key_held {boolean} NOT NULL DEFAULT 0,
    fingerprint {text},
    dry_run {boolean} NOT NULL DEFAULT 0,
    error_code {text},
    attempts {integer} NOT NULL DEFAULT 0,
    attempt_log {text},
    request_id {text},
    created_at {double} NOT NULL,
    started_at {double},
    settled_at {double},
    expires_at {double},
    owner {text},
    inputs {blob},
    result {blob},
    context {text},
    rule {text},
    resolved_by {text},
    purge_after {double},
    PRIMARY KEY (workspace, id)
) {table};
CREATE UNIQUE INDEX invocations_key ON invocations (workspace, idempotency_key) WHERE key_held = 1;
CREATE INDEX invocations_created ON invocations (workspace, created_at, id);
CREATE INDEX invocations_status ON invocations (workspace, status, created_at, id);
CREATE INDEX invocations_owner ON invocations (status, owner);
CREATE INDEX invocations_purge ON invocations (purge_after);

CREATE TABLE leases (
    workspace {text} NOT NULL,
    connection_key {text} NOT NULL,
    lease_key {text} NOT NULL,
    holder {text},
    held_until {double},
    sealed {blob},
    expires_at {double},
    renew_at {double},
    generation {integer} NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, connection_key, lease_key)
) {table};

CREATE TABLE instances (
    id {text} NOT NULL PRIMARY KEY,
    host {text} NOT NULL,
    pid {bigint} NOT NULL,
    started_at {double} NOT NULL,
    seen_at {double} NOT NULL
) {table};
