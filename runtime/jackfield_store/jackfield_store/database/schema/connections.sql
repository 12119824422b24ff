-- ``seal`` proves the open values and the list of the secrets. ``connect_record``: what a connect session leaves with its connection,
-- sealed (the platform's words, and what it will call); it stays when the values are replaced. ``session``: the connect session for which
-- the connection is stored before its person has approved it.
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
    seal {blob},
    connect_record {blob},
    session TEXT,
    PRIMARY KEY (workspace, id)
) {table};
CREATE UNIQUE INDEX connections_name ON connections (workspace, name);
CREATE INDEX connections_type ON connections (workspace, type, name);
CREATE INDEX connections_awaited ON connections (workspace) WHERE session IS NOT NULL;
-- those whose last test failed, or whose approval has ended, are counted over all workspaces
CREATE INDEX connections_attention ON connections (workspace) WHERE status IN ('failing', 'expired');

-- sqlite:
CREATE TRIGGER connections_inserted_epoch AFTER INSERT ON connections
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- sqlite:
CREATE TRIGGER connections_deleted_epoch AFTER DELETE ON connections
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- sqlite:
CREATE TRIGGER connections_updated_epoch AFTER UPDATE OF workspace, id, name, type, version, public_values ON connections
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- postgresql:
-- Deferred to the commit, so that the row is the last that a transaction locks: no two can wait for each other.
CREATE CONSTRAINT TRIGGER connections_epoch AFTER INSERT OR DELETE OR UPDATE OF workspace, id, name, type, version, public_values
ON connections DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION epoch_raised();
-- sqlite:
-- A connection whose status, as its last test or use found it, has changed; one whose values, name or account at the provider have changed.
CREATE TRIGGER connections_status_event AFTER UPDATE OF status ON connections
WHEN NEW.status <> OLD.status AND (NEW.status IN ('failing', 'expired') OR (NEW.status = 'ok' AND OLD.status IN ('failing', 'expired')))
BEGIN
    INSERT INTO outbox (workspace, type, subject, at, facts)
    VALUES (NEW.workspace, CASE NEW.status WHEN 'ok' THEN 'connection.recovered' ELSE 'connection.' || NEW.status END, NEW.name,
        (julianday('now') - 2440587.5) * 86400.0, json_object('status', NEW.status, 'previous_status', OLD.status,
        'type', NEW.type, 'version', NEW.version, 'account_id', NEW.account_id, 'account_label', NEW.account_label));
END;
-- sqlite:
CREATE TRIGGER connections_changed_event AFTER UPDATE OF version, name, account_id ON connections
WHEN NEW.version <> OLD.version OR NEW.name <> OLD.name OR NEW.account_id <> OLD.account_id
BEGIN
    INSERT INTO outbox (workspace, type, subject, at, facts)
    VALUES (NEW.workspace, 'connection.changed', NEW.name, (julianday('now') - 2440587.5) * 86400.0,
        json_object('status', NEW.status, 'previous_status', OLD.status,
        'type', NEW.type, 'version', NEW.version, 'account_id', NEW.account_id, 'account_label', NEW.account_label,
        'previous_account_id', OLD.account_id, 'previous_name', OLD.name));
END;
-- postgresql:
CREATE FUNCTION connections_status_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
INSERT INTO outbox (workspace, type, subject, at, facts)
VALUES (NEW.workspace, CASE NEW.status WHEN 'ok' THEN 'connection.recovered' ELSE 'connection.' || NEW.status END, NEW.name,
    EXTRACT(EPOCH FROM clock_timestamp()), json_build_object('status', NEW.status, 'previous_status', OLD.status,
        'type', NEW.type, 'version', NEW.version, 'account_id', NEW.account_id, 'account_label', NEW.account_label));
RETURN NULL;
END
$$;
-- postgresql:
CREATE TRIGGER connections_status_event AFTER UPDATE OF status ON connections FOR EACH ROW
WHEN (NEW.status <> OLD.status AND (NEW.status IN ('failing', 'expired') OR (NEW.status = 'ok' AND OLD.status IN ('failing', 'expired'))))
EXECUTE FUNCTION connections_status_told();
-- postgresql:
CREATE FUNCTION connections_change_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
INSERT INTO outbox (workspace, type, subject, at, facts)
VALUES (NEW.workspace, 'connection.changed', NEW.name, EXTRACT(EPOCH FROM clock_timestamp()),
    json_build_object('status', NEW.status, 'previous_status', OLD.status,
        'type', NEW.type, 'version', NEW.version, 'account_id', NEW.account_id, 'account_label', NEW.account_label,
        'previous_account_id', OLD.account_id, 'previous_name', OLD.name));
RETURN NULL;
END
$$;
-- postgresql:
CREATE TRIGGER connections_changed_event AFTER UPDATE OF version, name, account_id ON connections FOR EACH ROW
WHEN (NEW.version <> OLD.version OR NEW.name <> OLD.name OR NEW.account_id <> OLD.account_id)
EXECUTE FUNCTION connections_change_told();

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

-- What a person has approved at the provider for a connection (OAuth 2.0), sealed; ``reason`` says why a grant has ended. ``refresh_begun_at``:
-- when a refresh with the tokens was begun, until its outcome is known: a process that ends in between may have used them up. ``wanted``:
-- scopes that the provider asked for since the approval.
CREATE TABLE grants (
    workspace {text} NOT NULL,
    connection_id {text} NOT NULL,
    grant_id {text} NOT NULL,
    sealed {blob} NOT NULL,
    scopes {text} NOT NULL,
    reason {text},
    granted_at {double} NOT NULL,
    granted_by {text} NOT NULL,
    renewed_at {double} NOT NULL,
    refresh_begun_at {double},
    wanted {text},
    PRIMARY KEY (workspace, connection_id)
) {table};

-- Approvals that are under way. The digest is that of the secret state by which the provider's answer is recognised.
CREATE TABLE authorizations (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    digest {text} NOT NULL,
    connection_id {text} NOT NULL,
    flow {text} NOT NULL,
    sealed {blob},
    status {text} NOT NULL,
    reason {text},
    expires_at {double} NOT NULL,
    ask_at {double} NOT NULL,
    PRIMARY KEY (workspace, id)
) {table};
CREATE UNIQUE INDEX authorizations_digest ON authorizations (digest);

-- Approvals of removed connections that the provider has not been told of yet. ``sealed`` has the connection and its tokens; ``claim`` counts
-- the processes that have taken it.
CREATE TABLE revocations (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    sealed {blob} NOT NULL,
    claim {integer} NOT NULL,
    wake_at {double} NOT NULL,
    created_at {double} NOT NULL,
    PRIMARY KEY (workspace, id)
) {table};
CREATE INDEX revocations_wake ON revocations (wake_at);

-- Clients that were registered at providers which servers name: one for each provider, server and redirect URI of a workspace, whose digest
-- is the key.
CREATE TABLE client_registrations (
    workspace {text} NOT NULL,
    digest {text} NOT NULL,
    sealed {blob} NOT NULL,
    created_at {double} NOT NULL,
    PRIMARY KEY (workspace, digest)
) {table};

-- The pace of calls over one account of a provider, shared by all processes. The key is a hash of connector, budget and account.
CREATE TABLE paces (
    workspace {text} NOT NULL,
    pace_key {text} NOT NULL,
    state {text} NOT NULL,
    updated_at {double} NOT NULL,
    PRIMARY KEY (workspace, pace_key)
) {table};
