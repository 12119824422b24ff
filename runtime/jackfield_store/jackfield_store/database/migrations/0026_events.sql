-- Events (jackfield.events): what happened, for callbacks and readers. A trigger writes an event into the outbox, in the transaction that
-- made it true, whoever changes the row: workers of an older jackfield, too. One process at a time then takes a workspace's rows from the
-- outbox, in the order of their commits as it sees them, and numbers them (``events``), so that no reader can pass a number that is not
-- committed yet. ``facts`` are columns that stand unsealed in the row that they come from; ``data`` is sealed.
CREATE TABLE outbox (
    id {bigint_identity},
    workspace {text} NOT NULL,
    type {text} NOT NULL,
    subject {text} NOT NULL,
    at {double} NOT NULL,
    facts {text} NOT NULL
) {table};
CREATE INDEX outbox_workspace ON outbox (workspace, id);

CREATE TABLE events (
    workspace {text} NOT NULL,
    sequence {bigint} NOT NULL,
    id {text} NOT NULL,
    type {text} NOT NULL,
    subject {text} NOT NULL,
    at {double} NOT NULL,
    data {blob} NOT NULL,
    PRIMARY KEY (workspace, sequence)
) {clustered};
CREATE UNIQUE INDEX events_id ON events (workspace, id);

-- ``last`` is the highest number given, ``purged`` the highest one deleted, ``size`` the bytes of the events between.
CREATE TABLE event_heads (
    workspace {text} NOT NULL PRIMARY KEY,
    last {bigint} NOT NULL,
    purged {bigint} NOT NULL,
    size {bigint} NOT NULL
) {table};

-- An invocation that was queued again after it had ended: its second end is no first one.
ALTER TABLE invocations ADD COLUMN redriven {boolean} NOT NULL DEFAULT 0;

-- sqlite:
-- The end of an invocation is told if it was queued, which has set ``available_at``, or if its context asks for that.
CREATE TRIGGER invocations_recorded_event AFTER INSERT ON invocations
WHEN NEW.status IN ('succeeded', 'failed', 'in_doubt') AND (NEW.available_at IS NOT NULL OR instr(NEW.context, '"notify": true') > 0)
BEGIN
    INSERT INTO outbox (workspace, type, subject, at, facts)
    VALUES (NEW.workspace, 'invocation.finished', NEW.id, COALESCE(NEW.settled_at, NEW.created_at),
        json_object('status', NEW.status, 'error_code', NEW.error_code, 'connector', NEW.connector,
        'connector_version', NEW.connector_version, 'action', NEW.action, 'effect', NEW.effect,
        'connection', NEW.connection, 'attempts', NEW.attempts, 'idempotency_key', NEW.idempotency_key,
        'request_id', NEW.request_id, 'dry_run', NEW.dry_run, 'context', NEW.context,
        'created_at', NEW.created_at, 'settled_at', NEW.settled_at, 'resolved_by', NEW.resolved_by));
END;
-- sqlite:
CREATE TRIGGER invocations_finished_event AFTER UPDATE OF status ON invocations
WHEN OLD.status IN ('queued', 'running') AND NEW.status IN ('succeeded', 'failed', 'in_doubt')
    AND (NEW.available_at IS NOT NULL OR instr(NEW.context, '"notify": true') > 0)
BEGIN
    INSERT INTO outbox (workspace, type, subject, at, facts)
    VALUES (NEW.workspace, CASE WHEN NEW.redriven = 1 THEN 'invocation.resolved' ELSE 'invocation.finished' END, NEW.id,
        COALESCE(NEW.settled_at, NEW.created_at),
        json_object('status', NEW.status, 'error_code', NEW.error_code, 'connector', NEW.connector,
        'connector_version', NEW.connector_version, 'action', NEW.action, 'effect', NEW.effect,
        'connection', NEW.connection, 'attempts', NEW.attempts, 'idempotency_key', NEW.idempotency_key,
        'request_id', NEW.request_id, 'dry_run', NEW.dry_run, 'context', NEW.context,
        'created_at', NEW.created_at, 'settled_at', NEW.settled_at, 'resolved_by', NEW.resolved_by));
END;
-- sqlite:
CREATE TRIGGER invocations_resolved_event AFTER UPDATE OF status, error_code ON invocations
WHEN OLD.status IN ('succeeded', 'failed', 'in_doubt') AND NEW.status IN ('succeeded', 'failed', 'in_doubt')
    AND (NEW.status <> OLD.status OR NEW.error_code IS NOT OLD.error_code)
BEGIN
    INSERT INTO outbox (workspace, type, subject, at, facts)
    VALUES (NEW.workspace, 'invocation.resolved', NEW.id, (julianday('now') - 2440587.5) * 86400.0,
        json_object('status', NEW.status, 'error_code', NEW.error_code, 'connector', NEW.connector,
        'connector_version', NEW.connector_version, 'action', NEW.action, 'effect', NEW.effect,
        'connection', NEW.connection, 'attempts', NEW.attempts, 'idempotency_key', NEW.idempotency_key,
        'request_id', NEW.request_id, 'dry_run', NEW.dry_run, 'context', NEW.context,
        'created_at', NEW.created_at, 'settled_at', NEW.settled_at, 'resolved_by', NEW.resolved_by,
        'previous_status', OLD.status));
END;
-- postgresql:
CREATE FUNCTION invocations_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
INSERT INTO outbox (workspace, type, subject, at, facts)
VALUES (NEW.workspace, CASE WHEN NEW.redriven = 1 THEN 'invocation.resolved' ELSE 'invocation.finished' END, NEW.id,
    COALESCE(NEW.settled_at, NEW.created_at),
    json_build_object('status', NEW.status, 'error_code', NEW.error_code, 'connector', NEW.connector,
    'connector_version', NEW.connector_version, 'action', NEW.action, 'effect', NEW.effect,
    'connection', NEW.connection, 'attempts', NEW.attempts, 'idempotency_key', NEW.idempotency_key,
    'request_id', NEW.request_id, 'dry_run', NEW.dry_run, 'context', NEW.context,
    'created_at', NEW.created_at, 'settled_at', NEW.settled_at, 'resolved_by', NEW.resolved_by));
RETURN NULL;
END
$$;
-- postgresql:
CREATE FUNCTION invocations_told_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
INSERT INTO outbox (workspace, type, subject, at, facts)
VALUES (NEW.workspace, 'invocation.resolved', NEW.id, EXTRACT(EPOCH FROM clock_timestamp()),
    json_build_object('status', NEW.status, 'error_code', NEW.error_code, 'connector', NEW.connector,
    'connector_version', NEW.connector_version, 'action', NEW.action, 'effect', NEW.effect,
    'connection', NEW.connection, 'attempts', NEW.attempts, 'idempotency_key', NEW.idempotency_key,
    'request_id', NEW.request_id, 'dry_run', NEW.dry_run, 'context', NEW.context,
    'created_at', NEW.created_at, 'settled_at', NEW.settled_at, 'resolved_by', NEW.resolved_by,
    'previous_status', OLD.status));
RETURN NULL;
END
$$;
-- postgresql:
CREATE TRIGGER invocations_recorded_event AFTER INSERT ON invocations FOR EACH ROW
WHEN (NEW.status IN ('succeeded', 'failed', 'in_doubt') AND (NEW.available_at IS NOT NULL OR position('"notify": true' IN NEW.context) > 0))
EXECUTE FUNCTION invocations_told();
-- postgresql:
CREATE TRIGGER invocations_finished_event AFTER UPDATE OF status ON invocations FOR EACH ROW
WHEN (OLD.status IN ('queued', 'running') AND NEW.status IN ('succeeded', 'failed', 'in_doubt')
    AND (NEW.available_at IS NOT NULL OR position('"notify": true' IN NEW.context) > 0))
EXECUTE FUNCTION invocations_told();
-- postgresql:
CREATE TRIGGER invocations_resolved_event AFTER UPDATE OF status, error_code ON invocations FOR EACH ROW
WHEN (OLD.status IN ('succeeded', 'failed', 'in_doubt') AND NEW.status IN ('succeeded', 'failed', 'in_doubt')
    AND (NEW.status <> OLD.status OR NEW.error_code IS DISTINCT FROM OLD.error_code))
EXECUTE FUNCTION invocations_told_again();

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
CREATE TRIGGER connections_status_event AFTER UPDATE OF status ON connections FOR EACH ROW
WHEN (NEW.status <> OLD.status AND (NEW.status IN ('failing', 'expired') OR (NEW.status = 'ok' AND OLD.status IN ('failing', 'expired'))))
EXECUTE FUNCTION connections_status_told();
-- postgresql:
CREATE TRIGGER connections_changed_event AFTER UPDATE OF version, name, account_id ON connections FOR EACH ROW
WHEN (NEW.version <> OLD.version OR NEW.name <> OLD.name OR NEW.account_id <> OLD.account_id)
EXECUTE FUNCTION connections_change_told();

-- sqlite:
-- Each entry of the audit log is an event, too.
CREATE TRIGGER audit_entries_event AFTER INSERT ON audit_entries
BEGIN
    INSERT INTO outbox (workspace, type, subject, at, facts)
    VALUES (NEW.workspace, 'audit.' || NEW.event, NEW.object, (julianday('now') - 2440587.5) * 86400.0, NEW.entry);
END;
-- postgresql:
CREATE FUNCTION audit_entries_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
INSERT INTO outbox (workspace, type, subject, at, facts)
VALUES (NEW.workspace, 'audit.' || NEW.event, NEW.object, EXTRACT(EPOCH FROM clock_timestamp()), NEW.entry);
RETURN NULL;
END
$$;
-- postgresql:
CREATE TRIGGER audit_entries_event AFTER INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION audit_entries_told();

-- postgresql:
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
