CREATE FUNCTION public.audit_entries_told() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
INSERT INTO outbox (workspace, type, subject, at, facts)
VALUES (NEW.workspace, 'audit.' || NEW.event, NEW.object, EXTRACT(EPOCH FROM clock_timestamp()), NEW.entry);
RETURN NULL;
END
$$;
CREATE FUNCTION public.connections_change_told() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
INSERT INTO outbox (workspace, type, subject, at, facts)
VALUES (NEW.workspace, 'connection.changed', NEW.name, EXTRACT(EPOCH FROM clock_timestamp()),
    json_build_object('status', NEW.status, 'previous_status', OLD.status,
        'type', NEW.type, 'version', NEW.version, 'account_id', NEW.account_id, 'account_label', NEW.account_label,
        'previous_account_id', OLD.account_id, 'previous_name', OLD.name));
RETURN NULL;
END
$$;
CREATE FUNCTION public.connections_status_told() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
INSERT INTO outbox (workspace, type, subject, at, facts)
VALUES (NEW.workspace, CASE NEW.status WHEN 'ok' THEN 'connection.recovered' ELSE 'connection.' || NEW.status END, NEW.name,
    EXTRACT(EPOCH FROM clock_timestamp()), json_build_object('status', NEW.status, 'previous_status', OLD.status,
        'type', NEW.type, 'version', NEW.version, 'account_id', NEW.account_id, 'account_label', NEW.account_label));
RETURN NULL;
END
$$;
CREATE FUNCTION public.epoch_raised() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
UPDATE epoch SET number = number + 1;
RETURN NULL;
END
$$;
CREATE FUNCTION public.invocations_counted() RETURNS trigger
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
IF TG_OP = 'UPDATE' AND OLD.status <> 'running' THEN
    INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations,
        attempts, timed, seconds, longest)
    SELECT OLD.workspace, 60, CASE WHEN OLD.created_at BETWEEN 0 AND 1e11 THEN CAST(FLOOR(OLD.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        OLD.connector, OLD.action, OLD.status, COALESCE(OLD.error_code, ''), -1, pg_backend_pid(), -1, -OLD.attempts,
        CASE WHEN OLD.settled_at IS NULL THEN 0 ELSE -1 END, -COALESCE(OLD.settled_at - OLD.created_at, 0.0),
        COALESCE(OLD.settled_at - OLD.created_at, 0.0)
    UNION ALL
    SELECT OLD.workspace, 60, CASE WHEN OLD.created_at BETWEEN 0 AND 1e11 THEN CAST(FLOOR(OLD.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        OLD.connector, '', '', '', COALESCE((SELECT MIN(bucket) FROM duration_limits
            WHERE upper_limit > OLD.settled_at - OLD.created_at), 37), pg_backend_pid(), -1, 0, 0, 0.0, 0.0
    WHERE OLD.settled_at IS NOT NULL
    UNION ALL
    SELECT OLD.workspace, 0, 0, '', '', OLD.status, '', -1, pg_backend_pid(), -1, 0, 0, 0.0, 0.0
    WHERE OLD.status IN ('queued', 'in_doubt')
    ON CONFLICT (workspace, width, slot, connector, action, status, error_code, bucket, shard) DO UPDATE SET
        invocations = invocation_counts.invocations + excluded.invocations, attempts = invocation_counts.attempts + excluded.attempts,
        timed = invocation_counts.timed + excluded.timed, seconds = invocation_counts.seconds + excluded.seconds,
        longest = CASE WHEN excluded.longest > invocation_counts.longest THEN excluded.longest ELSE invocation_counts.longest END;
END IF;
IF NEW.status <> 'running' THEN
    INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations,
        attempts, timed, seconds, longest)
    SELECT NEW.workspace, 60, CASE WHEN NEW.created_at BETWEEN 0 AND 1e11 THEN CAST(FLOOR(NEW.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        NEW.connector, NEW.action, NEW.status, COALESCE(NEW.error_code, ''), -1, pg_backend_pid(), 1, NEW.attempts,
        CASE WHEN NEW.settled_at IS NULL THEN 0 ELSE 1 END, COALESCE(NEW.settled_at - NEW.created_at, 0.0),
        COALESCE(NEW.settled_at - NEW.created_at, 0.0)
    UNION ALL
    SELECT NEW.workspace, 60, CASE WHEN NEW.created_at BETWEEN 0 AND 1e11 THEN CAST(FLOOR(NEW.created_at / 60) AS BIGINT) * 60 ELSE 0 END,
        NEW.connector, '', '', '', COALESCE((SELECT MIN(bucket) FROM duration_limits
            WHERE upper_limit > NEW.settled_at - NEW.created_at), 37), pg_backend_pid(), 1, 0, 0, 0.0, 0.0
    WHERE NEW.settled_at IS NOT NULL
    UNION ALL
    SELECT NEW.workspace, 0, 0, '', '', NEW.status, '', -1, pg_backend_pid(), 1, 0, 0, 0.0, 0.0
    WHERE NEW.status IN ('queued', 'in_doubt')
    ON CONFLICT (workspace, width, slot, connector, action, status, error_code, bucket, shard) DO UPDATE SET
        invocations = invocation_counts.invocations + excluded.invocations, attempts = invocation_counts.attempts + excluded.attempts,
        timed = invocation_counts.timed + excluded.timed, seconds = invocation_counts.seconds + excluded.seconds,
        longest = CASE WHEN excluded.longest > invocation_counts.longest THEN excluded.longest ELSE invocation_counts.longest END;
    INSERT INTO invocation_kinds (workspace, connector, action, status, effect, connection, caller, error_code)
    SELECT NEW.workspace, NEW.connector, NEW.action, NEW.status, COALESCE(NEW.effect, ''), COALESCE(NEW.connection, ''),
        COALESCE(NEW.caller, ''), COALESCE(NEW.error_code, '')
    WHERE NOT EXISTS (SELECT 1 FROM invocation_kinds k WHERE k.workspace = NEW.workspace AND k.connector = NEW.connector
        AND k.action = NEW.action AND k.status = NEW.status AND k.effect = COALESCE(NEW.effect, '')
        AND k.connection = COALESCE(NEW.connection, '') AND k.caller = COALESCE(NEW.caller, '')
        AND k.error_code = COALESCE(NEW.error_code, ''));
END IF;
RETURN NULL;
END
$$;
CREATE FUNCTION public.invocations_inserted() RETURNS trigger
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
-- PostgreSQL counts inserted entries once for each statement: 64 entries queued by one statement add to a row of sums once, not 64 times.
-- Each addition leaves a version of the row until the transaction ends, and the next one passes all of them.
BEGIN
IF NOT EXISTS (SELECT 1 FROM added WHERE status <> 'running') THEN
    RETURN NULL;
END IF;
INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations,
    attempts, timed, seconds, longest)
SELECT workspace, 60, slot, connector, action, status, error_code, -1, pg_backend_pid(), COUNT(*), SUM(attempts), COUNT(duration),
    COALESCE(SUM(duration), 0.0), COALESCE(MAX(duration), 0.0)
FROM (
    SELECT workspace, CASE WHEN created_at BETWEEN 0 AND 1e11 THEN CAST(FLOOR(created_at / 60) AS BIGINT) * 60 ELSE 0 END AS slot,
        connector, action, status, COALESCE(error_code, '') AS error_code, attempts, settled_at - created_at AS duration
    FROM added WHERE status <> 'running'
) each_one
GROUP BY workspace, slot, connector, action, status, error_code
UNION ALL
SELECT workspace, 60, slot, connector, '', '', '', bucket, pg_backend_pid(), COUNT(*), 0, 0, 0.0, 0.0
FROM (
    SELECT workspace, CASE WHEN created_at BETWEEN 0 AND 1e11 THEN CAST(FLOOR(created_at / 60) AS BIGINT) * 60 ELSE 0 END AS slot,
        connector, COALESCE((SELECT MIN(bucket) FROM duration_limits WHERE upper_limit > settled_at - created_at), 37) AS bucket
    FROM added WHERE status <> 'running' AND settled_at IS NOT NULL
) each_one
GROUP BY workspace, slot, connector, bucket
UNION ALL
SELECT workspace, 0, 0, '', '', status, '', -1, pg_backend_pid(), COUNT(*), 0, 0, 0.0, 0.0
FROM added WHERE status IN ('queued', 'in_doubt') GROUP BY workspace, status
ON CONFLICT (workspace, width, slot, connector, action, status, error_code, bucket, shard) DO UPDATE SET
    invocations = invocation_counts.invocations + excluded.invocations, attempts = invocation_counts.attempts + excluded.attempts,
    timed = invocation_counts.timed + excluded.timed, seconds = invocation_counts.seconds + excluded.seconds,
    longest = CASE WHEN excluded.longest > invocation_counts.longest THEN excluded.longest ELSE invocation_counts.longest END;
INSERT INTO invocation_kinds (workspace, connector, action, status, effect, connection, caller, error_code)
SELECT DISTINCT workspace, connector, action, status, COALESCE(effect, ''), COALESCE(connection, ''), COALESCE(caller, ''),
    COALESCE(error_code, '')
FROM added WHERE status <> 'running' AND NOT EXISTS (SELECT 1 FROM invocation_kinds k WHERE k.workspace = added.workspace
    AND k.connector = added.connector AND k.action = added.action AND k.status = added.status
    AND k.effect = COALESCE(added.effect, '') AND k.connection = COALESCE(added.connection, '')
    AND k.caller = COALESCE(added.caller, '') AND k.error_code = COALESCE(added.error_code, ''));
RETURN NULL;
END
$$;
CREATE FUNCTION public.invocations_told() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION public.invocations_told_again() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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
CREATE TABLE public.approvals (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    rule text NOT NULL COLLATE pg_catalog."C",
    requested_by text NOT NULL COLLATE pg_catalog."C",
    requested_at double precision NOT NULL,
    expires_at double precision NOT NULL,
    twin text COLLATE pg_catalog."C",
    decided_by text COLLATE pg_catalog."C",
    decided_at double precision,
    why text COLLATE pg_catalog."C",
    seal bytea,
    about bytea,
    CONSTRAINT approvals_status_check CHECK ((status = ANY (ARRAY['waiting'::text, 'approved'::text, 'declined'::text, 'expired'::text, 'cancelled'::text])))
);
CREATE TABLE public.audit_entries (
    workspace text NOT NULL COLLATE pg_catalog."C",
    sequence integer NOT NULL,
    actor text NOT NULL COLLATE pg_catalog."C",
    event text NOT NULL COLLATE pg_catalog."C",
    object text NOT NULL COLLATE pg_catalog."C",
    entry text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.audit_heads (
    workspace text NOT NULL COLLATE pg_catalog."C",
    sequence integer NOT NULL,
    digest text NOT NULL COLLATE pg_catalog."C",
    seal bytea
);
CREATE TABLE public.authorizations (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    connection_id text NOT NULL COLLATE pg_catalog."C",
    flow text NOT NULL COLLATE pg_catalog."C",
    sealed bytea,
    status text NOT NULL COLLATE pg_catalog."C",
    reason text COLLATE pg_catalog."C",
    expires_at double precision NOT NULL,
    ask_at double precision NOT NULL
);
CREATE TABLE public.blocked_workspaces (
    workspace text NOT NULL COLLATE pg_catalog."C",
    code text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    since double precision NOT NULL,
    until double precision NOT NULL
);
CREATE TABLE public.callback_positions (
    callback text NOT NULL COLLATE pg_catalog."C",
    workspace text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL
);
CREATE TABLE public.callbacks (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    url text NOT NULL COLLATE pg_catalog."C",
    origin text NOT NULL COLLATE pg_catalog."C",
    options text NOT NULL COLLATE pg_catalog."C",
    secrets bytea NOT NULL,
    status text NOT NULL COLLATE pg_catalog."C",
    reason text COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    failing_since double precision,
    warned_at double precision,
    exhausted_at double precision,
    probe_at double precision,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    CONSTRAINT callbacks_status_check CHECK ((status = ANY (ARRAY['active'::text, 'paused'::text])))
);
CREATE TABLE public.client_registrations (
    workspace text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    sealed bytea NOT NULL,
    created_at double precision NOT NULL
);
CREATE TABLE public.clock (
    name text NOT NULL COLLATE pg_catalog."C",
    seconds double precision NOT NULL,
    monotonic double precision NOT NULL,
    boot text NOT NULL COLLATE pg_catalog."C",
    proposed double precision,
    proposed_by text COLLATE pg_catalog."C",
    proposed_at double precision NOT NULL,
    proposed_boot text NOT NULL COLLATE pg_catalog."C",
    leap double precision DEFAULT 0 NOT NULL
);
CREATE TABLE public.connect_sessions (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    sealed bytea NOT NULL,
    expires_at double precision NOT NULL
);
CREATE TABLE public.connection_secrets (
    workspace text NOT NULL COLLATE pg_catalog."C",
    connection_id text NOT NULL COLLATE pg_catalog."C",
    field text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    sealed bytea NOT NULL
);
CREATE TABLE public.connections (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    public_values text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    account_id text COLLATE pg_catalog."C",
    account_label text COLLATE pg_catalog."C",
    last_test text COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    seal bytea,
    connect_record bytea,
    session text
);
CREATE TABLE public.console_sessions (
    workspace text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    identity text NOT NULL COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    seen_at double precision NOT NULL,
    expires_at double precision NOT NULL,
    seal bytea,
    CONSTRAINT console_sessions_kind_check CHECK ((kind = ANY (ARRAY['link'::text, 'session'::text])))
);
CREATE TABLE public.data_keys (
    workspace text NOT NULL COLLATE pg_catalog."C",
    key_id text NOT NULL COLLATE pg_catalog."C",
    wrapped bytea NOT NULL,
    master_key_id text NOT NULL COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    retired_at double precision,
    forgotten_at double precision
);
CREATE TABLE public.deliveries (
    workspace text NOT NULL COLLATE pg_catalog."C",
    callback text NOT NULL COLLATE pg_catalog."C",
    sequence bigint NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    event text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    attempts integer DEFAULT 0 NOT NULL,
    next_at double precision NOT NULL,
    held_until double precision DEFAULT 0 NOT NULL,
    ended_at double precision,
    last_status integer,
    log bytea,
    created_at double precision NOT NULL,
    source text COLLATE pg_catalog."C",
    event_sequence bigint,
    CONSTRAINT deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'dead'::text])))
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.02');
CREATE TABLE public.dispatchers (
    name text NOT NULL COLLATE pg_catalog."C",
    holder text NOT NULL COLLATE pg_catalog."C",
    held_until double precision NOT NULL
);
CREATE TABLE public.doubt_markers (
    workspace text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.doubts (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    facts bytea NOT NULL,
    log bytea,
    since double precision,
    look_at double precision,
    claim integer DEFAULT 0 NOT NULL,
    looks integer DEFAULT 0 NOT NULL,
    contradicted_at double precision
);
CREATE TABLE public.duration_limits (
    bucket integer NOT NULL,
    upper_limit double precision NOT NULL
);
CREATE TABLE public.epoch (
    name text NOT NULL COLLATE pg_catalog."C",
    number bigint NOT NULL
);
CREATE TABLE public.event_counts (
    workspace text NOT NULL COLLATE pg_catalog."C",
    day bigint NOT NULL,
    events bigint NOT NULL,
    deliveries bigint NOT NULL,
    looks bigint DEFAULT 0 NOT NULL
);
CREATE TABLE public.event_heads (
    workspace text NOT NULL COLLATE pg_catalog."C",
    last bigint NOT NULL,
    purged bigint NOT NULL,
    size bigint NOT NULL,
    numbered_on text COLLATE pg_catalog."C",
    numbered_at double precision DEFAULT 0 NOT NULL,
    purged_mark text COLLATE pg_catalog."C"
);
CREATE TABLE public.event_keys (
    workspace text NOT NULL COLLATE pg_catalog."C",
    subscription_id text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    at double precision NOT NULL
);
CREATE TABLE public.events (
    workspace text NOT NULL COLLATE pg_catalog."C",
    sequence bigint NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    at double precision NOT NULL,
    data bytea NOT NULL,
    mark text COLLATE pg_catalog."C"
);
CREATE TABLE public.external_ids (
    digest text NOT NULL COLLATE pg_catalog."C",
    workspace text NOT NULL COLLATE pg_catalog."C",
    connection_id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.file_connection_tests (
    workspace text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    fingerprint text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    account_id text COLLATE pg_catalog."C",
    account_label text COLLATE pg_catalog."C",
    last_test text COLLATE pg_catalog."C"
);
CREATE TABLE public.file_holds (
    workspace text NOT NULL COLLATE pg_catalog."C",
    file_id text NOT NULL COLLATE pg_catalog."C",
    invocation_id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.file_usage (
    workspace text NOT NULL COLLATE pg_catalog."C",
    files bigint NOT NULL,
    bytes bigint NOT NULL
);
CREATE TABLE public.files (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    name text COLLATE pg_catalog."C",
    content_type text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    sealed bytea,
    caller text COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    expires_at double precision NOT NULL
);
CREATE TABLE public.grants (
    workspace text NOT NULL COLLATE pg_catalog."C",
    connection_id text NOT NULL COLLATE pg_catalog."C",
    grant_id text NOT NULL COLLATE pg_catalog."C",
    sealed bytea NOT NULL,
    scopes text NOT NULL COLLATE pg_catalog."C",
    reason text COLLATE pg_catalog."C",
    granted_at double precision NOT NULL,
    granted_by text NOT NULL COLLATE pg_catalog."C",
    renewed_at double precision NOT NULL,
    refresh_begun_at double precision,
    wanted text COLLATE pg_catalog."C"
);
CREATE TABLE public.installation (
    id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.instances (
    id text NOT NULL COLLATE pg_catalog."C",
    host text NOT NULL COLLATE pg_catalog."C",
    pid bigint NOT NULL,
    started_at double precision NOT NULL,
    seen_at double precision NOT NULL,
    place text COLLATE pg_catalog."C",
    born bigint,
    slots integer DEFAULT 0 NOT NULL,
    doubted_at double precision,
    settings text COLLATE pg_catalog."C"
);
CREATE TABLE public.invocation_counts (
    id bigint NOT NULL,
    workspace text NOT NULL COLLATE pg_catalog."C",
    width integer NOT NULL,
    slot bigint NOT NULL,
    connector text NOT NULL COLLATE pg_catalog."C",
    action text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    error_code text NOT NULL COLLATE pg_catalog."C",
    bucket integer NOT NULL,
    shard bigint NOT NULL,
    invocations bigint NOT NULL,
    attempts bigint NOT NULL,
    timed bigint NOT NULL,
    seconds double precision NOT NULL,
    longest double precision NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.05');
ALTER TABLE public.invocation_counts ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.invocation_counts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.invocation_exchanges (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    sealed bytea NOT NULL
);
CREATE TABLE public.invocation_kinds (
    id bigint NOT NULL,
    workspace text NOT NULL COLLATE pg_catalog."C",
    connector text NOT NULL COLLATE pg_catalog."C",
    action text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    effect text NOT NULL COLLATE pg_catalog."C",
    connection text NOT NULL COLLATE pg_catalog."C",
    caller text NOT NULL COLLATE pg_catalog."C",
    error_code text NOT NULL COLLATE pg_catalog."C"
);
ALTER TABLE public.invocation_kinds ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.invocation_kinds_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.invocation_references (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    reference text NOT NULL COLLATE pg_catalog."C",
    connection text COLLATE pg_catalog."C"
);
CREATE TABLE public.invocation_terms (
    workspace text NOT NULL COLLATE pg_catalog."C",
    term text NOT NULL COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.invocations (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    connector text NOT NULL COLLATE pg_catalog."C",
    connector_version text COLLATE pg_catalog."C",
    action text NOT NULL COLLATE pg_catalog."C",
    effect text COLLATE pg_catalog."C",
    connection text COLLATE pg_catalog."C",
    caller text COLLATE pg_catalog."C",
    idempotency_key text COLLATE pg_catalog."C",
    key_held smallint DEFAULT 0 NOT NULL,
    fingerprint text COLLATE pg_catalog."C",
    dry_run smallint DEFAULT 0 NOT NULL,
    error_code text COLLATE pg_catalog."C",
    attempts integer DEFAULT 0 NOT NULL,
    attempt_log text COLLATE pg_catalog."C",
    request_id text COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    started_at double precision,
    settled_at double precision,
    expires_at double precision,
    owner text COLLATE pg_catalog."C",
    inputs bytea,
    result bytea,
    context text COLLATE pg_catalog."C",
    rule text COLLATE pg_catalog."C",
    resolved_by text COLLATE pg_catalog."C",
    purge_after double precision,
    cancel_at double precision,
    delivery integer DEFAULT 0 NOT NULL,
    deliveries text COLLATE pg_catalog."C",
    available_at double precision,
    not_after double precision,
    recovered_at double precision,
    corrected_at double precision,
    cancel_requested_at double precision,
    released_at double precision,
    priority integer DEFAULT 5 NOT NULL,
    dead_at double precision,
    redriven smallint DEFAULT 0 NOT NULL,
    job bytea,
    job_until double precision,
    progress_fraction double precision,
    progress_text text COLLATE pg_catalog."C",
    twin text COLLATE pg_catalog."C",
    CONSTRAINT invocations_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'running'::text, 'succeeded'::text, 'failed'::text, 'in_doubt'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');
CREATE TABLE public.journal_upkeep (
    name text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.kept_rules (
    name text NOT NULL COLLATE pg_catalog."C",
    rules text NOT NULL COLLATE pg_catalog."C",
    seal bytea NOT NULL
);
CREATE TABLE public.leases (
    workspace text NOT NULL COLLATE pg_catalog."C",
    connection_key text NOT NULL COLLATE pg_catalog."C",
    lease_key text NOT NULL COLLATE pg_catalog."C",
    holder text COLLATE pg_catalog."C",
    held_until double precision,
    sealed bytea,
    expires_at double precision,
    renew_at double precision,
    generation integer DEFAULT 0 NOT NULL
);
CREATE TABLE public.marked_events (
    workspace text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    reference text NOT NULL COLLATE pg_catalog."C",
    received_at double precision NOT NULL,
    sealed bytea NOT NULL,
    source text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    whose text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.mcp_servers (
    workspace text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    url text NOT NULL COLLATE pg_catalog."C",
    trust text NOT NULL COLLATE pg_catalog."C",
    origin text NOT NULL COLLATE pg_catalog."C",
    is_shared smallint NOT NULL,
    tools bigint NOT NULL,
    sealed bytea NOT NULL,
    created_at double precision NOT NULL,
    accepted_at double precision NOT NULL
);
CREATE TABLE public.oauth_clients (
    workspace text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    origin text NOT NULL COLLATE pg_catalog."C",
    hosts text NOT NULL COLLATE pg_catalog."C",
    public_values text NOT NULL COLLATE pg_catalog."C",
    sealed bytea NOT NULL,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL
);
CREATE TABLE public.outbox (
    id bigint NOT NULL,
    workspace text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    at double precision NOT NULL,
    facts text NOT NULL COLLATE pg_catalog."C",
    event_id text COLLATE pg_catalog."C",
    sealed bytea,
    salt text DEFAULT (gen_random_uuid())::text NOT NULL COLLATE pg_catalog."C"
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000');
ALTER TABLE public.outbox ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.outcomes (
    workspace text NOT NULL COLLATE pg_catalog."C",
    reference text NOT NULL COLLATE pg_catalog."C",
    part text NOT NULL COLLATE pg_catalog."C",
    severity integer NOT NULL,
    at double precision NOT NULL,
    sealed bytea NOT NULL,
    blocks smallint DEFAULT 0 NOT NULL
);
CREATE TABLE public.paces (
    workspace text NOT NULL COLLATE pg_catalog."C",
    pace_key text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    updated_at double precision NOT NULL
);
CREATE TABLE public.platform_tokens (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    workspaces text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    expires_at double precision,
    revoked_at double precision,
    last_used_at double precision,
    seal bytea NOT NULL,
    created_by text COLLATE pg_catalog."C"
);
CREATE TABLE public.queue_budgets (
    workspace text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    updated_at double precision NOT NULL
);
CREATE TABLE public.record_paces (
    place text NOT NULL COLLATE pg_catalog."C",
    next_at double precision NOT NULL
);
CREATE TABLE public.record_reads (
    workspace text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    page text COLLATE pg_catalog."C",
    began_at double precision,
    changed_at double precision NOT NULL,
    complete_at double precision,
    refused text COLLATE pg_catalog."C"
);
CREATE TABLE public.revocations (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    sealed bytea NOT NULL,
    claim integer NOT NULL,
    wake_at double precision NOT NULL,
    created_at double precision NOT NULL
);
CREATE TABLE public.schedule_slots (
    workspace text NOT NULL COLLATE pg_catalog."C",
    schedule_id text NOT NULL COLLATE pg_catalog."C",
    slot double precision NOT NULL,
    last double precision NOT NULL,
    slots integer NOT NULL,
    outcome text NOT NULL COLLATE pg_catalog."C",
    reason text COLLATE pg_catalog."C",
    invocation_id text COLLATE pg_catalog."C"
);
CREATE TABLE public.schedules (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    connector text NOT NULL COLLATE pg_catalog."C",
    action text NOT NULL COLLATE pg_catalog."C",
    effect text COLLATE pg_catalog."C",
    connection text COLLATE pg_catalog."C",
    timing text NOT NULL COLLATE pg_catalog."C",
    missed text NOT NULL COLLATE pg_catalog."C",
    overlap text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    reason text COLLATE pg_catalog."C",
    caller text COLLATE pg_catalog."C",
    token text COLLATE pg_catalog."C",
    version integer NOT NULL,
    claim integer NOT NULL,
    next_at double precision,
    wake_at double precision,
    last_invocation text COLLATE pg_catalog."C",
    sealed bytea NOT NULL,
    created_at double precision NOT NULL,
    changed_at double precision NOT NULL
);
CREATE TABLE public.schema_migrations (
    version integer NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    applied_at double precision NOT NULL,
    checksum text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.settings (
    name text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL COLLATE pg_catalog."C",
    changed_at double precision NOT NULL,
    seal bytea NOT NULL
);
CREATE TABLE public.sign_ins (
    id text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    person text COLLATE pg_catalog."C",
    session text COLLATE pg_catalog."C",
    sealed bytea NOT NULL,
    turn double precision NOT NULL,
    expires_at double precision NOT NULL,
    CONSTRAINT sign_ins_kind_check CHECK ((kind = ANY (ARRAY['person'::text, 'invitation'::text, 'answer'::text])))
);
CREATE TABLE public.subscription_items (
    workspace text NOT NULL COLLATE pg_catalog."C",
    subscription_id text NOT NULL COLLATE pg_catalog."C",
    item text NOT NULL COLLATE pg_catalog."C",
    content text NOT NULL COLLATE pg_catalog."C",
    round integer NOT NULL,
    sealed bytea NOT NULL
);
CREATE TABLE public.subscriptions (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    connector text NOT NULL COLLATE pg_catalog."C",
    trigger_key text NOT NULL COLLATE pg_catalog."C",
    connection text COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    reason text COLLATE pg_catalog."C",
    every double precision,
    path_digest text COLLATE pg_catalog."C",
    sealed bytea NOT NULL,
    mark bytea,
    version integer NOT NULL,
    claim integer NOT NULL,
    failures integer NOT NULL,
    wake_at double precision,
    last_success_at double precision,
    last_event_at double precision,
    caller text COLLATE pg_catalog."C",
    token text COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    changed_at double precision NOT NULL,
    held integer DEFAULT 0 NOT NULL,
    renew_at double precision,
    account text COLLATE pg_catalog."C",
    lost text COLLATE pg_catalog."C"
);
CREATE TABLE public.tokens (
    workspace text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    scope text NOT NULL COLLATE pg_catalog."C",
    digest text NOT NULL COLLATE pg_catalog."C",
    rules text NOT NULL COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    expires_at double precision,
    revoked_at double precision,
    last_used_at double precision,
    seal bytea,
    created_by text COLLATE pg_catalog."C"
);
CREATE TABLE public.workspace_wrappers (
    workspace text NOT NULL COLLATE pg_catalog."C",
    wrappers text NOT NULL COLLATE pg_catalog."C",
    seal bytea NOT NULL
);
CREATE TABLE public.workspaces (
    name text NOT NULL COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    settings text DEFAULT '{}'::text NOT NULL COLLATE pg_catalog."C",
    seal bytea
);
INSERT INTO public.approvals VALUES ('default', '01a226cd-31a8-7dd8-b49b-677c88e97958', 'waiting', 'the rules of the workspace ask for a person''s approval of bell/toll', '{"caller": null, "token": null, "remote": false}', 1795947311.2275891, 1796033711.2275891, NULL, NULL, NULL, NULL, NULL, '\x01cbc89934d399d5c29326268e3d2918ab0d38e4dc838ac6e3a577270b121a4dc3b0dbae4567502347d60b67f60a6247b54501c7c7b74910059f3e1a691289973ba070f3ce6144d0cb0c92c360afc726e4685c1d58f4a8715d75d70b8bc87f4a4a8b5f3c6586a0ab69ad17b4b26e4a93d3f35af3b063fbd875d4cfb2e1545651e58dd64d41448c91ae48349c8a279f54632214b199691f5e6035c696e72340f435d429a7eb24b17e3124d2bfcde852b65e92c58912722c7a60b233c91413815f6616143c3124514865d890f0dace40050f9e1d1e9d602d9c09aa56a24de0476da65b7d1dd4bf96e3d05c3dabeb5640c11052a747dc348f382e7dc8fa8ea0a43bb79f6e4233551937af9350d146ad3ca4f6a01bed5657fa76130972f0bec1f4f1ed4c061ac6717a3d57b051fb7f1db7f7649f5fb1d81724d902da184732c32541db8ef7b9d6a870652f791962cd23ff41f8aedb975bc6c13cfb3bb3ef97c72689952455a5f7aa795aa42a0b670d60b1f1a528d881c2c594e2578997bbaf5dbe34b9a7f2cd465275d25371a578739a6cdd0af4ad3121d62d143307d3c7');
INSERT INTO public.approvals VALUES ('default', '01a226cd-31b3-7b55-8894-87bd692f2745', 'approved', 'the rules of the workspace ask for a person''s approval of bell/toll', '{"caller": null, "token": null, "remote": false}', 1795947311.2275891, 1796033711.2275891, NULL, '{"kind": "cli", "id": "bob"}', 1795947311.2275891, NULL, '\x01cbc89934d399d5c278679e697efb1d8d4e7dd8604ef2009480f05505dcebe95c1b40bf49', '\x01cbc89934d399d5c25ee34517f65e4a8d95f950dc273f9cbda3196ee5d54549a935220a6886af6ae132dfcb6d2b73a17b53434d07d9c2e0e6dbfdc2071b09cbeb12bf4c606ac9646e7ac8c7b907b27d04554299dea65124e63fe7c7152891f17a9aeb3039739130eab8b50a957b5a2032672b28ec04a1254c29a7e98a473e5c41519481c0a687d588f9ddd4cc76f37f24500245399a64b41dfc5559d8c250cd37d9b62bd0f3dd219140300ca1a6631bd44b9640446a238afb0b561cdc11ab04d4b523008502a229ce80aef0e2ce61c2d1689dc42df8f5b94af3f1ecfb15fa86674a05f2e19f78b2cbd83a6307dbc956c2aee39f9494d39d19ca5ec4c72c9cf780816d64877330f007c78078d7ed11201269130891748901f896bf63d05a1122870cccd96c6d9a9c5ec211b60b472d214a132c2f4873fcd1996757e5e60ae591c7c06a87498154702c35c9b92f9654c3e7e27bc4e79a22fb66d2a018b90791df58cc6143a4dcd37c4198cf2aeb70d9a33af800a94b27182ea5d53382ac14076709fd97a06d71b2f41bd7292e649e93d5af6963bd6055c4b5feca5a7f');
INSERT INTO public.audit_entries VALUES ('default', 1, 'library', 'connection.created', 'connection:desk', '{"actor": {"kind": "library"}, "at": "2026-11-29T10:15:11.227Z", "details": {"type": "bureau/desk"}, "event": "connection.created", "object": "connection:desk", "sequence": 1}', 'f20fe0a62e414e28e8be5d0d5365b69fdf5723e826c00a088a9f2a6bc5d1f053');
INSERT INTO public.audit_entries VALUES ('acme', 1, 'library', 'workspace.created', 'workspace:acme', '{"actor": {"kind": "library"}, "at": "2026-11-29T10:15:11.227Z", "details": {"settings": {"allowAmbient": false, "allowOwnExternalId": false, "allowReferences": false, "connectionBudgets": {}, "guards": {}, "keepInputs": false, "limits": {}, "queueConcurrency": 0, "queueRate": 0, "retentionDays": 30, "rules": {"allow": [], "block": []}, "settleAbsent": false, "suspended": false, "theme": {}}}, "event": "workspace.created", "object": "workspace:acme", "sequence": 1}', 'c233aa87519de2f0d83f8e4a9baf988c426f88abf485c4e5f96d28fb90a80378');
INSERT INTO public.audit_entries VALUES ('default', 2, 'library', 'workspace.changed', 'workspace:default', '{"actor": {"kind": "library"}, "at": "2026-11-29T10:15:11.227Z", "details": {"after": {"rules": {"allow": [], "approve": ["bell/toll"], "block": []}}, "before": {"rules": {"allow": [], "block": []}}}, "event": "workspace.changed", "object": "workspace:default", "sequence": 2}', '59797c23e1cc30af37c20385eb78cb317ee3476a2380f7960cbdc46cb90697d5');
INSERT INTO public.audit_entries VALUES ('default', 3, 'cli:bob', 'approval.approved', 'invocation:01a226cd-31b3-7b55-8894-87bd692f2745', '{"actor": {"id": "bob", "kind": "cli"}, "at": "2026-11-29T10:15:11.227Z", "details": {"action": "toll", "connector": "bell"}, "event": "approval.approved", "object": "invocation:01a226cd-31b3-7b55-8894-87bd692f2745", "sequence": 3}', 'c216ee0c98f1c4c39d97d2ba6cfe8d5e1f0967314e3efb1cae20eeaa6acced26');
INSERT INTO public.audit_entries VALUES ('default', 4, 'library', 'schedule.created', 'schedule:hourly', '{"actor": {"kind": "library"}, "at": "2026-11-29T10:15:16.227Z", "details": {"action": "ring", "connector": "bell"}, "event": "schedule.created", "object": "schedule:hourly", "sequence": 4}', '703718b849f066b12048e13d84a0e68643fdd66813d7b1571667ffbe9de50770');
INSERT INTO public.audit_entries VALUES ('default', 5, 'library', 'callback.created', 'callback:cb_01a226cd-31ea-702f-85a1-b821a82cdb61', '{"actor": {"kind": "library"}, "at": "2026-11-29T10:15:16.227Z", "details": {"types": [], "url": "https://hooks.example/x"}, "event": "callback.created", "object": "callback:cb_01a226cd-31ea-702f-85a1-b821a82cdb61", "sequence": 5}', '435e3522ced4a3800f146b8b6892241de5aee57d4f422b5de95d55e2edeaa052');
INSERT INTO public.audit_heads VALUES ('acme', 1, 'c233aa87519de2f0d83f8e4a9baf988c426f88abf485c4e5f96d28fb90a80378', '\x01cbc89934d399d5c29d3289152de6a949b0f8e9acf27cb3e15c7d8b259d2e679930a2cec8');
INSERT INTO public.audit_heads VALUES ('default', 5, '435e3522ced4a3800f146b8b6892241de5aee57d4f422b5de95d55e2edeaa052', '\x01cbc89934d399d5c2d4c883ca79383cf2b136c4d7c7703d9691ca61b051f5ec8f17619244');
INSERT INTO public.callbacks VALUES ('default', 'cb_01a226cd-31ea-702f-85a1-b821a82cdb61', 'https://hooks.example/x', 'operator', '{"types": [], "filter": null, "include": [], "thin": false, "signing": "hmac", "description": ""}', '\x01cbc89934d399d5c2bc30c9b3805ee8e5c7a8b8d7d8765f43bf2bdfd8de4c580c18d8ea1fe5e5862658eadad2d3ef4b203b9fd8e137a4dd439491ef5f5f8c5be99276c665c7f53db7e16f5712bfb3740c19233a59dc096652e3c99ea281bc18d4fdf507086525f4cfd7fc2646e21b79a70f152ffa5a', 'active', NULL, 7, NULL, NULL, NULL, NULL, 1795947316.2275891, 1795947316.2275891);
INSERT INTO public.connection_secrets VALUES ('default', 'de30f6a2-e74d-4eeb-aed8-861b9b05e414', '/token', 1, '\x01cbc89934d399d5c29f4c9f05a701abee178283d54f5b630614c9dc2b0c165fc91f1b0002e2041b4b2bb4ed961d92c485c7f77ddfbc49fdec244f');
INSERT INTO public.connections VALUES ('default', 'de30f6a2-e74d-4eeb-aed8-861b9b05e414', 'desk', 'bureau/desk', 1, '{"origin": "operator", "sealed": ["/token"], "values": {"token": "***"}}', 'untested', NULL, NULL, NULL, 1795947311.2275891, 1795947311.2275891, '\x01cbc89934d399d5c288ba697e9d6c1e79f5de07dafea0a7cc1c768988e66c4bbadf1b5769', NULL, NULL);
INSERT INTO public.data_keys VALUES ('default', 'cbc89934d399d5c2', '\x02c520230533645a8f74597350f39440fdb8f9fa07dfba9ea90d890e33db5501a3c918d3556007b7968318a91c9b5737272e646a8e080b5dae178e8dc3', '8df25388', 1795947311.2275891, NULL, NULL);
INSERT INTO public.data_keys VALUES ('acme', 'e3c0f74d5b828003', '\x0289e77b525b550b8385e187fb6ddde23f66aef5e3d7725ff303ecba002fe017c30abb8ef2e1a155f45e2b680046f2be676859e0a0950f775d04ee86c6', '8df25388', 1795947311.2275891, NULL, NULL);
INSERT INTO public.doubts VALUES ('default', '01a226cd-3182-75d2-84eb-adb93182cd71', '\x01cbc89934d399d5c20165aeb66e34769fa5401571aba43e79f515848f138d2202eddc0549f1779c456e69a5bc850669ce21dc956019a0c2626b4c551a24a146d96863ec682f50a621794cad8486a323d8e5746f869019e7c09e655643ae3a920a8d8240ef64119808fe9af1589c2246c05bece60494744086ba0aa5b570a00f5a9024fc76d5ea32f7d59f38da3942b96da096db124f912728384a23397f2dfe731f65c88d3f0410fa727e1fd3218cb93ecd3c17467fce937b66e4fd2f9f5371d0baa9fd2f1b6322a9ad90404651ae6b4f1dfb9b6cd913b644910d50cf05c4420f73af415d1d2c29828002e517ce0276ea1af4220886ed9a145ef60aabc58efb83625d1a193e20a9afa62f086dc2ace26be37febbe09631ae99afe8970d93a6de3c3b4c66a98d50d8cf74fa07d0ade85beae81c97b15ac24aa8e7c3691bdfbf141b6c3a99605a22f1b0f99070382e280756506c0cd4a46402e9adc9f013ff774336fad7a17a00b097eb3d7cd6df2c376af80369fb9ea80c33b7441e962c47645b425fca133c66cb9c7399694a011be2946ad9f76366c0844c98f284328cc9bd589a7b1c91f6e89037457b9a9059de9f0309be7969043c084a7bfe4efee10609848a4e3b65ce872cba712ab4b1bebb0dba77adacce6e87cbc062d713bd709ced999136393609d5f935daa0bb9eb1e34592e59e3a843bc202bcd9c1724c72806a5470b990230f9ccc0897608bc9d6dcb44b59d5cc332a762faadea0cd6100b752c6e364dd370836668aa1681b83ee34747911626da9900279c2d23c27d13bf6a0743c091b2fdb50111ca8417749af4845c21b4ee43a66b827ec9ce435facc3d1777166ed307de863d70af180db2808590cedd5f95bf2b56fc16697b4177e6b04', NULL, 1795947311.2275891, 1795947315.827589, 0, 0, NULL);
INSERT INTO public.doubts VALUES ('default', '01a226cd-31a4-7514-9dfc-21190bb4f38b', '\x01cbc89934d399d5c2513939d991c1e126ec28b751358bbcdeb1f3ddd1e94efa42efcf8e51e4c7970c1f8356c04e0313a712552dc1118b2c4717937d9ada22ffd2c59adc460512574eb0f0b9488f2ca06674141f39aae3076c7ff2bdceb5e579e93bd8a1dd985ef8611b25e9d327ae78191928319fc4da4072deabb43b0e1460595634c4eeb6cd3180209a2d68fd7b04b5a05fe7e9c4f713439c5e6e174473027b10571307ba10d5cbcc305169e6e77007d6534e5a735dbd223976d1f4a17a937400f75ad55286c4a1235065ab4ac5d72a23c518e79be1f2ced419b894177378efe966e2aba17938790ca8fe55769ff4e599ed0afc27f54749e9003184b187d9fae0143810fff2ca9aa0ae2abcdbf8044bab7e33b569b776474f1b90da520f754d1ed5a177adf0e15893dfe9db057475802dda1e3907355c7826dee4ca15e354365027ef6c3805b3f38b7d2dad179aea59501354e159276ac24668f7a0696f4481a2d6fe7485f6166b60626044603c063351c4964d515d539f41676c0e183d13dcbec4a0162ded30a8f0856fc977a7f782b50d3b9ae16d9a080ffd037f6b7254f9b5e8b2f128feae65eaf34b737446cd76daf46db3eadee4d92f8507f4d82c7d8660f5f3a91ad818a919511c334a9cc5446323129d4a1d159c212a63637114976f9b78e15d2cb4f839d1bc33241037d3a5c3c9fc33158fcc6f55573557be0f73c122700104b0f1021b161407927c54e3a8a370de770911739f752f3fd926fe8b5e8999d7b07ce3f555b7ee86045775e20e94f930b3ede10d1b24bf3fe954a6645dd7e1244a0d3ad50d759d4c0e0bfcb9b5fc1abcf0b25e0f0e5d2da2b7e172eb683d4a78b8022667d5437197c3ea036a90306eac9a370128c2644c8945bd', NULL, 1795947311.2275891, 1795947316.0625892, 0, 0, NULL);
INSERT INTO public.doubts VALUES ('default', '01a226cd-3220-7fb3-8a28-46b9cd57db18', '\x01cbc89934d399d5c2b2749bf2495a385e0afef636a1a4585b7ceaf3ed1c927d2c22c3547a3aefd01b1294fb6ae9a72b3bedd279acfabf5368c2ce8da479cd54f113ea7fb92ca9fdf453f1c03354a2c608c5e091a6da73b4650f2d6e1e70c615d35d9aa1067e2ee0f0d4fa222d9510a026fecd69c752a14808abb20cde44a42efa92047d8978c57bc3ca840dfbff3166c553e40e2857c6ed894b00f51e06f9c6332a29784460259aa9e2a0ac98112fe20042e17bf2f24e2749a9311d014c7b090c9b8548acd6712e18e24ae773fe8bc35d1f278d3de7f98e13ee65c087646bbe3d7ac2b984a5d4ed3cb198559c07e037dce2a655afaf9d401df268104f09e576a43bb1465c037e03b24f42b7727421e632d37ee3d7517c9f80bbc0225fba511cb439960351ebef708c60252e8883300a27b7a2f59bf4fefae132ad8346070828ae5d6a262fc6124aea302afef588c14a1651d26a7fe5b172e20947669af83e2aa3e36288078d211066185e3f2f40cfe79f6c7c44ba3cbb3112cad9fbbe7fcd9a8cd673cca41b4490ea60f92c4d6b49e8b84ebcb6ec23e722b702843cb7c18aad18d0095caa2404be542893b6480ba94a10f8e6b10cb10a0d4a5e1ba427538141a1f4bf826052d724215d1800b14c0ed01917fc2a06daba88171bab8cbfbb516e0a5b4130901424ec7a6cac3e9519f4ea2c0cfbe2d3d21d3c74a4ec91f4585ead8ebcce9bfc55d3b0ad078e89cbbc364ed544c4ef6bbcd9acfc88aacdbc9947e86b928dc353d85e79654b1e1e79dbb3c6232ad465eab8bd5b386976248653c6cefb2f108ed1f8ad625d4bb83f724b7a4dc35b7dabdb60c7', NULL, NULL, NULL, 0, 0, NULL);
INSERT INTO public.duration_limits VALUES (0, 0.001);
INSERT INTO public.duration_limits VALUES (1, 0.0015);
INSERT INTO public.duration_limits VALUES (2, 0.0022);
INSERT INTO public.duration_limits VALUES (3, 0.0033);
INSERT INTO public.duration_limits VALUES (4, 0.0047);
INSERT INTO public.duration_limits VALUES (5, 0.0068);
INSERT INTO public.duration_limits VALUES (6, 0.01);
INSERT INTO public.duration_limits VALUES (7, 0.015);
INSERT INTO public.duration_limits VALUES (8, 0.022);
INSERT INTO public.duration_limits VALUES (9, 0.033);
INSERT INTO public.duration_limits VALUES (10, 0.047);
INSERT INTO public.duration_limits VALUES (11, 0.068);
INSERT INTO public.duration_limits VALUES (12, 0.1);
INSERT INTO public.duration_limits VALUES (13, 0.15);
INSERT INTO public.duration_limits VALUES (14, 0.22);
INSERT INTO public.duration_limits VALUES (15, 0.33);
INSERT INTO public.duration_limits VALUES (16, 0.47);
INSERT INTO public.duration_limits VALUES (17, 0.68);
INSERT INTO public.duration_limits VALUES (18, 1);
INSERT INTO public.duration_limits VALUES (19, 1.5);
INSERT INTO public.duration_limits VALUES (20, 2.2);
INSERT INTO public.duration_limits VALUES (21, 3.3);
INSERT INTO public.duration_limits VALUES (22, 4.7);
INSERT INTO public.duration_limits VALUES (23, 6.8);
INSERT INTO public.duration_limits VALUES (24, 10);
INSERT INTO public.duration_limits VALUES (25, 15);
INSERT INTO public.duration_limits VALUES (26, 22);
INSERT INTO public.duration_limits VALUES (27, 33);
INSERT INTO public.duration_limits VALUES (28, 47);
INSERT INTO public.duration_limits VALUES (29, 68);
INSERT INTO public.duration_limits VALUES (30, 100);
INSERT INTO public.duration_limits VALUES (31, 150);
INSERT INTO public.duration_limits VALUES (32, 220);
INSERT INTO public.duration_limits VALUES (33, 330);
INSERT INTO public.duration_limits VALUES (34, 470);
INSERT INTO public.duration_limits VALUES (35, 680);
INSERT INTO public.duration_limits VALUES (36, 1000);
INSERT INTO public.epoch VALUES ('shared', 5);
INSERT INTO public.event_counts VALUES ('default', 1795910400, 7, 0, 0);
INSERT INTO public.event_heads VALUES ('default', 7, 0, 1490, '00000001-16384.', 1795947316.2275891, NULL);
INSERT INTO public.events VALUES ('default', 1, '01a226cd-314b-74cc-ac2d-fb7971a776bd', 'audit.connection.created', 'connection:desk', 1795947311.435929, '\x01cbc89934d399d5c2a5b06fb95ef7fadf51ebd6bdd2a7deb58635093ca0999b201a7e0baddc75522495b872381f9b05db8ac83ac87cbfa639604f690b758348c8d4932da44de73d7693ef01704ba57cc56966dd543a3d507179308aa5b51f263284bef63ddcb8cde2a55269523da0c922ec68933d1d0c5816e4927627537143d7b3c04825ff7e33b99871b9442b1dafce3879ce8f436b03c056e5fb6905a332625943922ccca3203d78c41c01584fe6414d9323b23ea79c592cf6fd0c9ca5a778123fc485c12d', '38760e6eebac');
INSERT INTO public.events VALUES ('default', 2, '01a226cd-315b-7fce-8ada-c18b40f055a5', 'audit.workspace.changed', 'workspace:default', 1795947311.451058, '\x01cbc89934d399d5c212caeb6131f3d38a274297444ca0651a70fe65b728eef06d1f01958960d829876886db70341d7143287c9c72a4ab23bf06e763b4374d81988bf2715e730a8fe9684ce81fe7bf180b7721d0145e5d75cb2f877935f1ac7594852b6dea3c418d5f200bf1540640d01d5ac8f3f11957abfe38436990b9552c5cb19f3ecdcbfe87f86203c2820c181d95cc3d0cb3073e86408ce977d5d09b5367b15bd031c25c52184ca5f0f4f5a3152689b7dab446417575d08f9b1456867a05085a198e208376fd1609a08917c92186fb10e489407997ac579a4c368a5ba7f6a28f0fe9f3a5ccd639af4886cb5444f511535ce97f33081f5f59966ee3f1f24aae383ab53fdeee780a07d5a83c27db42502b973da581fb0bf92721abcaaf00', '357d43ca345e');
INSERT INTO public.events VALUES ('default', 3, '01a226cd-307b-7a4a-8626-6adececc6c78', 'approval.requested', '01a226cd-31a8-7dd8-b49b-677c88e97958', 1795947311.2275891, '\x01cbc89934d399d5c29dbb0ce20eaf8dd42aba41201b873d2eccc12c279c9ef3b293ef469589f3d475cff6fba86b49f37a718d74551d0c23d68fdec18b56d8eb5dfc41342f948c8f557ca012a0b86eb2656331a52e6979d4aceac2d7d51b1835c79f5ad8cf9ade5b0fc2d69075a0fca0ab2d546857bd8cbd55dc62f5c11ae675fe3641bef000c2ad38218037770fee4c5690fb76e25edbc2dcf52d49f4d9cf01d9e797d57c1aa63e8c8e83538d156aa39cc809f617526f', '3f2761b1a6d2');
INSERT INTO public.events VALUES ('default', 4, '01a226cd-307b-7b30-8877-bf3c2d8a7556', 'approval.requested', '01a226cd-31b3-7b55-8894-87bd692f2745', 1795947311.2275891, '\x01cbc89934d399d5c241e2eb1d89f4b6100ce085a139837c24971b60c412189062ff955c294616e056ba972b6366a32da42f7fb0fabc3a31dcd310352191d5427dc2a519df643709e0521e619d38a501f45ba4c7339a73c7e468ee0d0f05902e150255264b9a15cc570b63a48a7dcda20c61bbdf7c9b8b03d5ce703fbd4e0d33a61db7fcf9e18fcbecbe8f9b84e43439486df723f057d8beb6dd6720a4ad03ef5d3ae898c69c8cfd565a922eb85a68a0d6504cc9d27462', '3e579e44d451');
INSERT INTO public.events VALUES ('default', 5, '01a226cd-307b-7b1d-9392-07f09a5b9fce', 'approval.approved', '01a226cd-31b3-7b55-8894-87bd692f2745', 1795947311.2275891, '\x01cbc89934d399d5c2599ad20138126604bca905b89d6be144d7edf0779178c69251d9db7f83cfb6b289bc04c08cbefb287f1211bad891ed8e503ded325ce84ed3f73ffaa9830df604ffbeb7a8564447aa7ba6c12b7d3b35530ec72e59dd44883873a504af112c5ae32ab452b5a69b106824e903b3d944fd785d26e0eb31a642edb1d71afa5209c1f793e229c324fec5f36c2fee5067c0a2c8563e924c85c0919f143088632ffe9a2d804456f4d353', '2945c4ab1627');
INSERT INTO public.events VALUES ('default', 6, '01a226cd-31c0-7aaa-91b3-24bdbd85cd1e', 'audit.approval.approved', 'invocation:01a226cd-31b3-7b55-8894-87bd692f2745', 1795947311.552311, '\x01cbc89934d399d5c26d399ca7240eeaa1062a2ca366a5700ac9343fccf83f716830f0e5575dfaa37e4c361ad6bfef46ce8d2d62caa6af38e6a6acb40f92fa57eff6bcbf7090f4b9b14d56b97285303ab756a78a6f17415e8c1b39e9342837366d681cda399f65bac5613faadefd86afed99bbba2e379a17847cf72f6da2837837fbc26b588a73716a2d6442d15144f6c5ab6033c0fba753bccfacde5f0161c0719692be507e8f883c863bc2a7438e7eabe6ce69b9bce7389b2a6c457f5a8b355645b31c70c2146979ce7fcf42ca812a7ecca45ffea8b07d727a6ffbcb509b9653f692cf4439480e335ddb5e14aa78248ee57b50ccf4b819a0aa54', 'bb56ebb28786');
INSERT INTO public.events VALUES ('default', 7, '01a226cd-31e6-7a54-bc46-19b658c6f4e4', 'audit.schedule.created', 'schedule:hourly', 1795947311.590977, '\x01cbc89934d399d5c22177037b0024925209e1f48a198841f3075188d2bb78c5f4c5caae898afaab447b3906bd2c873ffa48cde59c75ebf430bce448d23cfd466ef8fed06134d7477ab3e984712a01965394215f1af2862fa9d5666d5c1e372d58bdff62c56413f7beef4f831d0d8b0d22b8b41d3eaadc8ef1ca2874bf5f52372915ab17a6c234b3ad52ba045fe7f59646d98c0fde8dfe42d6ecba07b00dfca5af5f90e576df1cc193067926230dd0127d4b4c3a4dda4b896010c7da421df2fd502ad422036d3b66a1b6261c5a8329e21a2b53', '0dc71a0c8f00');
INSERT INTO public.installation VALUES ('4f9b4b34b4f14cc588d38d887e573e24');
INSERT INTO public.instances VALUES ('e1c9059cf3322252', 'vm', 27457, 1795947316.2275891, 1795947316.2275891, '5936649a-10ed-4bf6-b0b7-4f8bfaabe833/pid:[4026531836]/time:[4026531834]', 4294857, 0, NULL, '{}');
INSERT INTO public.invocation_counts VALUES (1, 'default', 60, 1795947300, 'bell', 'ring', 'succeeded', '', -1, 27435, 1, 1, 1, 0, 0);
INSERT INTO public.invocation_counts VALUES (3, 'default', 60, 1795947300, 'bell', 'ring', 'in_doubt', 'in_doubt', -1, 27435, 1, 1, 1, 0, 0);
INSERT INTO public.invocation_counts VALUES (2, 'default', 60, 1795947300, 'bell', '', '', '', 0, 27435, 2, 0, 0, 0, 0);
INSERT INTO public.invocation_counts VALUES (6, 'default', 60, 1795947300, 'bureau', 'createTicket', 'in_doubt', 'in_doubt', -1, 27435, 2, 2, 2, 0, 0);
INSERT INTO public.invocation_counts VALUES (7, 'default', 60, 1795947300, 'bureau', '', '', '', 0, 27435, 2, 0, 0, 0, 0);
INSERT INTO public.invocation_counts VALUES (5, 'default', 0, 0, '', '', 'in_doubt', '', -1, 27435, 3, 0, 0, 0, 0);
INSERT INTO public.invocation_counts VALUES (12, 'default', 60, 1795947300, 'bell', 'toll', 'queued', '', -1, 27435, 2, 0, 0, 0, 0);
INSERT INTO public.invocation_counts VALUES (16, 'default', 60, 1795947300, 'furnace', 'melt', 'queued', '', -1, 27435, 1, 0, 0, 0, 0);
INSERT INTO public.invocation_counts VALUES (18, 'default', 60, 1795947300, 'bell', 'ring', 'queued', '', -1, 27435, 2, 0, 0, 0, 0);
INSERT INTO public.invocation_counts VALUES (22, 'default', 60, 1795947300, 'bell', 'hear', 'queued', '', -1, 27435, 1, 0, 0, 0, 0);
INSERT INTO public.invocation_counts VALUES (13, 'default', 0, 0, '', '', 'queued', '', -1, 27435, 6, 0, 0, 0, 0);
INSERT INTO public.invocation_counts VALUES (24, 'default', 60, 1795947300, 'bell', 'hear', 'queued', '', -1, 27463, -1, 0, 0, -0, 0);
INSERT INTO public.invocation_counts VALUES (25, 'default', 0, 0, '', '', 'queued', '', -1, 27463, -1, 0, 0, 0, 0);
INSERT INTO public.invocation_exchanges VALUES ('default', '01a226cd-3171-7350-bd67-cc90225cd223', '\x01cbc89934d399d5c221dd44f5c701aee776ee96134becaa1af41ff970b73730d3ee80873bd0a6f8cce252fd3c181d0fc03e3fe62318b1452b0d4bb27d7b7c092e96efa7407ab779149ce45703458cdbee04');
INSERT INTO public.invocation_exchanges VALUES ('default', '01a226cd-3182-75d2-84eb-adb93182cd71', '\x01cbc89934d399d5c23b95ba75f3a0cf29a455a69ecff407add012b6aca45948def4fee1831cf1748d874a6037f253d5a7f269e33c21d77fdd27a59817296e65d4b456928cb59d37aeb28b543819240e85a9');
INSERT INTO public.invocation_exchanges VALUES ('default', '01a226cd-31a4-7514-9dfc-21190bb4f38b', '\x01cbc89934d399d5c265ec7df6f84360c3817eec721c747da5e7175172adc8e98bbfd56a7fd7d77449139380aa80558b4786b7444914b6adba7d5b71a126d1bbad1d186c2c52481db3df41d8dcf287af8ed7');
INSERT INTO public.invocation_kinds VALUES (1, 'default', 'bell', 'ring', 'succeeded', 'write', '', '', '');
INSERT INTO public.invocation_kinds VALUES (2, 'default', 'bell', 'ring', 'in_doubt', 'write', '', '', 'in_doubt');
INSERT INTO public.invocation_kinds VALUES (3, 'default', 'bureau', 'createTicket', 'in_doubt', 'write', 'desk', '', 'in_doubt');
INSERT INTO public.invocation_kinds VALUES (4, 'default', 'bell', 'toll', 'queued', 'write', '', '', '');
INSERT INTO public.invocation_kinds VALUES (5, 'default', 'furnace', 'melt', 'queued', 'write', '', '', '');
INSERT INTO public.invocation_kinds VALUES (6, 'default', 'bell', 'ring', 'queued', 'write', '', '', '');
INSERT INTO public.invocation_kinds VALUES (7, 'default', 'bell', 'hear', 'queued', 'read', '', '', '');
INSERT INTO public.invocations VALUES ('default', '01a226cd-315c-74a7-9f58-b82d136faac7', 'succeeded', 'bell', '1.0.0', 'ring', 'write', NULL, NULL, 'once', 1, 'b5741310529d36b15f61be77f63bf7e61a853ad58aaf2227b4c052c2c4046c60', 0, NULL, 1, '[{"startedAt": 1795947311.228, "endedAt": 1795947311.228, "step": "ring", "outcome": "succeeded", "requestId": null}]', NULL, 1795947311.2275891, 1795947311.2275891, 1795947311.2275891, 1795947371.2275891, '53465a59df635941', NULL, '\x01cbc89934d399d5c2a5c290ab01bec5673379e30b9a537c59453756dab80b1a3620ee331008bf25f1962cdf3d07ee06740b7e06387007565c5564039df5dcfdba011f675d9de2cae4dbe00c64d4f465d2358f05504ae56bcf8917355a648d153435b7608d1b7761451c5c70f1401a4bb41e3552d2c85f67a8d5b30fbc45232e7c3783f5ae9ef9dcacb0f8dc83b69fbdbc974e1bcce3d34e4907e9f10f77f4c9f9a2355ac87d8df216f5b534757700f4d4c8cc78247b031b46f46fc2717c36cf1448504d717bd2cf494a37872ea283d8fb3391690db7a57e335829a7b9bcc8efd5dea145dd1c7e59f35f33ffe2575100240433b4283cc204ba3f804f8f69602f8bb8c4532cd52be23adc1f46d5081693fa7debffb255f7b01063a4141b15ad53fd1310218fce95a125142f3ec35e', NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 5, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.invocations VALUES ('default', '01a226cd-3171-7350-bd67-cc90225cd223', 'in_doubt', 'bell', '1.0.0', 'ring', 'write', NULL, NULL, NULL, 1, NULL, 0, 'in_doubt', 1, '[{"startedAt": 1795947311.228, "endedAt": 1795947311.228, "step": "ring", "outcome": "internal", "requestId": null}]', NULL, 1795947311.2275891, 1795947311.2275891, 1795947311.2275891, 1795947371.2275891, '53465a59df635941', NULL, '\x01cbc89934d399d5c2a3707cfcfaf3a3c8735a20d5ed706f5f697a2605620ea07c14ed5bba85e50f7e65fccc7e7dd8165cbea2cfb859b1a82ea13fcbb3e331c1fb84256dbe7187544532a19cb21843ecdd72722b4e3a93bbc4b91339169fbd4aca82da2977221826fa418a6f54a8f746d4d98bf142a4913002f5dd85a2e7cc0ae56c9063db781bb096999d2e0b3f500c03dcb46841580b4ff862c55fa38ba3ec8ecd89de9fa2ac5b6d079f455ea0059ec3305fc79350d432fdbd0220cb3b5ad147006d650d39e2b3e78f2a9b399438c808db0defb43a0479eadf16d521f23d313d700780d2d4bb0d1f6dcafd1be352051008e8f8e5d6f1f4aa3b79d05d2c549a7544dcc8208053be696dd3f301956ecf19df562c40afdc11d5f21cf4122376616fe2a890290087ac1218e1f2364c6a1e7216a51356ae77bea845da99197f51cb5e92c8389125a08bd91113e80a904ce5781143f6be5794f43aa5a0eeaf5736c7d2df8a0b7cd45fdf7bf63e821fe78b46438366428079e405380ad9e0bcf01a1c20c89dbd6e74a17c4aacd4f48bb7e985e71491d3ee9a31664aaf7f18ef4d374c929eaf2307b56bb5e93a7a7a3909a054f8a16683e9a7531bdde363b1caa57930b0914dae84785ef03d6c89047e221274050ca053d049f979fa6f0dbf85de0ada8be8df6af67b46dc8cbdfe3519c4aef713c3cbdf9c254efec695238cbc2fb7eac184ea2face28c7694ae038d130c043cb7109913fc7b14aa9f250c231933b8ed6e995a24f8d91d1dca08b845b88064cfa948515421a410a7731bca16717bfe', NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 5, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.invocations VALUES ('default', '01a226cd-3182-75d2-84eb-adb93182cd71', 'in_doubt', 'bureau', '1.0.0', 'createTicket', 'write', 'desk', NULL, NULL, 1, NULL, 0, 'in_doubt', 1, '[{"startedAt": 1795947311.228, "endedAt": 1795947311.228, "step": "createTicket", "outcome": "internal", "requestId": null}]', NULL, 1795947311.2275891, 1795947311.2275891, 1795947311.2275891, 1795947371.2275891, '53465a59df635941', NULL, '\x01cbc89934d399d5c2dc52aa390b305cd7e51ea52f94355d24a4e3300350dcc6941a9dc35a237d13c5a2b40569d1b3082ee8b592b1e748237b8324775523bd4faf3ad865e52b29ccb77b7749f3183ffd8509f55938af85496f404dab0df8d50c021266f4bb942fd0359ea6053b0cbcea656e9b9a0207b74acc7c1eacc2d4ef7c1eb47125483d605bf9ee59b2576d327cf1348b25f78b8baf6a3c357a404c5bd12ec5d30f3d87ae94322caa3758386acf5007f7cb92ad59315e0f40a40761c90293292f11cfe3836b5fe020dda1b721cc45b29ef6d02d96526b485eb6a78cd4a4b43548b5aacf98cb0c38d55dd1cd1827504ed35ce54fed59062e23543710f63324c49e1b7fd5d93d65e8cb7d46ea52bbb523548e33f03ffdeb7c9e08e4e0ac7bc289923844b701074ea9f84c456f10f10dcaf7292521b1ea2418c28506d4ba97aa503825c3318e160d543fe4d0054e36c177373426df75c00a76acc1e2a062c198f2ea4157973441bf57ad1561a6f59ddc9480cadcd5fbd3d4e29de793faba2b808562aed84823a93a2cfd36cf085f9b95e82a1a2064137d2f553c218af87a588b0d7ff6c05704310f9e606f2eac470f29316aa2c3baf1208c52d99b3ad5a72373ec7b252cc827898ab54afd3c503db46ed858c99b74532bf4bd742c0b8eaa686777d8282f13282add43bde362cbec8efbadac23f7fc777c352b871d41c218372e4321e2e80fc87f67c828ba5c5930c546c31083ae8e46e73a3e000c11fb8d4404d9c3547abf1b523dc4279a0d32b96c997543c4d1ee2d99d24b070a8530ec9686ce47ec07081d421444183ad49a15fb12ad', NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 5, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.invocations VALUES ('default', '01a226cd-31a4-7514-9dfc-21190bb4f38b', 'in_doubt', 'bureau', '1.0.0', 'createTicket', 'write', 'desk', NULL, NULL, 1, NULL, 0, 'in_doubt', 1, '[{"startedAt": 1795947311.228, "endedAt": 1795947311.228, "step": "createTicket", "outcome": "internal", "requestId": null}]', NULL, 1795947311.2275891, 1795947311.2275891, 1795947311.2275891, 1795947371.2275891, '53465a59df635941', NULL, '\x01cbc89934d399d5c2f32a8c09861ae569ea76fcaef157fa37dc5dda5028e22fe5c2d4492d0a6ce32d9f28c2d069e82830cd1279c3774dbff94f681e28d06f2866e967f62a0c5cc79425e2c85c9a4282a0b1b8ab319bf4d8a127d46ecc0c40096f5b9c85bfa72940430d96753ab5c3cb33a96af9ba523fa93d71094902b4ba1867d577cf3b94c81236ce4dc005852e74da51a946513b53afe2d3f4654b0e855d39ae9737dae929490ec770572c4fe02913e4007d5e66ac8da399ffc42d8ccee6c367b519d553e569ae3d2e341718e46843117763d43613e2b10a712db43c4138784693dcba0c0869bf1ea1b75663c358afcb76aae508de2c14e1e106cb23d08e374197d6cdb6390616cef763d848b7703a7de894657ffe0f7db52af0f17bdf3d1df2b3993a34c0663d6b912a43d50c96561f5f3685a544046b202c849aea0fed2d3a41bac93e522c31770db40cc07f1c567123e4351724cfb4d90867d7fec0b111e14aeb935ba84fed1dbfa2fbe3df25081edcca90bbbf0a273e8a3ce6931c90fc880a0130482ef5df1a5439794bcf3d68ee56b4050c267405ae9f5e0b462e7e72fbb077ffd74481422dc5a03f1c34ab252c8bc502f6d6e6980256b84060a7f268ec0452ee9e44b3694bfd06068407d711a186377a2e0f9dccce15f982b79378d5d96ff308378fe002222aeb1a83ac83a78872daee080edf8200170e26f1fbf629d7b603dadc20986dd736f34df5c1272aa9d7244cbfb2093356c4dd5b8e1526014f1a56b81259e59424382e512ee4e9034f9358a8b2bec8547184bb237dfdae07e8daff8863778bc46e468012262b8cbb', NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 5, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.invocations VALUES ('default', '01a226cd-31a8-7dd8-b49b-677c88e97958', 'queued', 'bell', '1.0.0', 'toll', 'write', NULL, NULL, NULL, 0, NULL, 0, NULL, 0, NULL, NULL, 1795947311.2275891, NULL, NULL, NULL, NULL, '\x01cbc89934d399d5c28bb04465fbc9688d14c30b3188c46cc6105b1046684a75a36c9c351c72b4cd2376d56e8d0a7e306e406028c35aefc1675931a5d460f9e8eca512e8908453e3d4922bf22db1462d1de5648c6a7dead5f1f8b21e45cc989c76422968eb99426cda6adf1f5cd34cb87f0da3c00a327a059f76de347333a2a22cfe2b8f09a16b3c4987ae882edd04826ebda5511c97491d6ee51f85c9fbe6d979372baf8720a61c0d6cec9a04d7d681de5eea9320401328b4d23e7a1fdcf280aa8367a2ea01932b06267a3b1c27d72622bf2d9beb74889ec285ff2110c8234a6f4ff76a629649cc5df959fcca21df19c43c040453d55ef5047e1e76027615bfa9cc5474af47969556a804a28c65496d36a090847abdc1c3cbf4bfaf2db7d720bfff95c628fe371cecb8d31440ce5124b753e82be59c1300b505702d3a161ee7eaabcb75d02512324b789dd510d3668b22cbb010972a134dfaea0e5b53932b542f68757d99278ed4e221b8c7d3ca57088f9e437d36cda1ad866448255fcd96d9f71a51372737feff16303555d6e8b8ac5e4584339084cad1021679692aa43ec660d2d6bd8ca809d7b55b56a734b9b050b76ce649bc5abcd98ecf4868500eac1d093ad3548b8161d7f896aaafb7a1f08b2ee9dd09e59943220b3ac701a8aa6842367ea42ab12887e7f067dbf28762fdd7d95bf2920258240bedddcf1e198306e90b8fde13ec99389e8e7217db996582716283b17cdbae0541bd812f78c33993d968b146cf0d3ee2e22303e5a61082466791bbe45f37c5352a4461a41cd78123f29e03b75b50d99b98026eafb219b30afc3320c77b3f4bebb10661f3bd05cf0a1a743c6c2345fa75b1a7b5c20fe64e9b3dfbee74d621ebf01a48e0da82a66e315a2d70e02d313c779ffe16a054727dbb718f75cef1fbf691bb45edbe585386d6d31dbb62ad494ffe5b11e3b0ef05a7fe8cb860a7f9033044982b918ef95e73808c909bb7260ab79412308f9b22c7c4ce53cfa180a9489b8b5192c0f2e55f69f5cae3c96d5800001601baf1a4a6efd2d3281401', NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, 1796033711.2275891, NULL, NULL, NULL, NULL, 5, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.invocations VALUES ('default', '01a226cd-31b3-7b55-8894-87bd692f2745', 'queued', 'bell', '1.0.0', 'toll', 'write', NULL, NULL, NULL, 0, NULL, 0, NULL, 0, NULL, NULL, 1795947311.2275891, NULL, NULL, NULL, NULL, '\x01cbc89934d399d5c287488fd1e27e76de076cf813a4ebfbac3aca73b557f27da1689c652553632e77456cff62f462467d77fa9f9c98c28c36f131e85fd4378aa1a5c407497c871fe5cc9dc14bad2d8a82b0af097fe335dd57dd5f2488b26bfd08e9dda238a39ab2448665190719690084d8c5e17c755beaae7a955486be1d48e0a689dac4719e3be90a4e28a86d0569b4f4579a7ebac29fd3920531c01ce78d4ff57254c6a0c04c8aa2ac59ab399f3cfe1836a813c3cede21786e616d8fa6af7002933b6a4aee15572d49aca446326e1dbcdbc74dfea6fab49c14ce7f2f589ee957b225cfc9ce1c4a0326e7ce6c8a12497df81254747292997311b35737c87d902b52ba9e2d07606d721951ee12cba36c168624c596c084565d683807d3483a94c4db1c32d85938d5fb1cb58cd117d22c4722f76a96623a600ec13f532c5c5bd607f48a8abfe8b1bbe5501ce5b90e4d63b44299eabf0aa2cba726401616d9a50a8ddcc9e8ce3c3d6e8173f2d0d006140e186ab6472654407bcc5f047f0da4b692babec9b44ffb6c9bcfef6c8cdc5f7f8d612035a7a2539ba36b1baf66757121fb72f9aafd8181b8d1abb4f1151da717730004520e22f23b7aa8ed7bcc721d5fa3b77d8977cd90f9dfcf393b07a6f2c44459f6f620cff248c62c1940c129dcee13c37d5fe4935f403ca0c161bf9972dd837a7550f15bcafdacb2e3181a7af37489910fe8ffa5046123ded74979e45d4500e91563e53bf5323b7737a6f8d42b4927990ad7fd77cddb9fd84a4ed48e3f08ffee0b80968e6f4853929a725d441d6f938395c670852eaabe0c177037278f56cf56c09b9210388753b65e0821610e2ee619a84bc3cf4d1a2d79fa61257755b8a1ae932ca85514046421d8458592f36a47758c5a2bd8680dea5edaed3e94422acc0ff8778cedb851f31e84ad6c4695cf73d84c2cae61d807b8f107d3d88e9e26f32b710373198eda35f7bbc5737359ff0e1b2356bbc73237324b07872784aaadcee8ddd811fe265137646c158e746ff2465fe834fb8ed60a44d7c7577036c7293de255eedf1f5df9', NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, NULL, NULL, NULL, NULL, 5, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.invocations VALUES ('default', '01a226cd-31c1-7ede-9ea2-a502303ea42a', 'running', 'furnace', '1.0.0', 'melt', 'write', NULL, NULL, NULL, 0, NULL, 0, NULL, 1, '[{"startedAt": 1795947311.228, "endedAt": 1795947311.228, "step": "melt", "outcome": "succeeded", "requestId": null}]', NULL, 1795947311.2275891, 1795947311.2275891, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 4, NULL, 1795947316.2275891, NULL, NULL, NULL, NULL, NULL, 5, NULL, 0, '\x01cbc89934d399d5c2d1a13f415057b9cb3946851b1456223db702585414799010e1a545b3392cb177e8e0641c8d8a1a156340ad20c8410d5e4f2f50732bb545e90a5054730d89814d42f00cb8cd462f1b165967031c5ec7630d8cec02932f8c873ea23c989d14556d55ca5712ce9d8ba0fbd3eb2b9901e70b19142ed735cffa058a7f424950e0d8e82d17927b18583ea3f3f08852f8a5591870e79ac8b16aa1e5e54d9a52f37c6f628df6b87f1646a6092ecdb6aa37d6bc4011f5bcd2673e275758a574de85b1ab546dbebe0eaa6b5bb87524d1aca4d3dfebe7dcd890fc9c17cc40b16beeb4ef278d33a27007b13828c038b744acce3d7d154ddd57ccefeb40e79a8563d46422c63a33c2f3f8', 1796033711.2275891, 0.5, 'melting', NULL);
INSERT INTO public.invocations VALUES ('default', '01a226cd-31e0-7cde-9457-7ee027cf68a5', 'queued', 'furnace', '1.0.0', 'melt', 'write', NULL, NULL, NULL, 0, NULL, 0, NULL, 0, NULL, NULL, 1795947316.2275891, NULL, NULL, NULL, NULL, '\x01cbc89934d399d5c22ebfe94ce14d3a8cb0eb71af1df5cc75590a5fbe36647709b3bb0c69563834ecdcc9fc8340553acb16c7299fb6bf6633a5459e9a914f2363ce760ee8d2009b1d2f02200e2f467344d915d761af07002b1c57e08079f14036cc3dcd51bd8cfed255f725dabc0decd9d9cf21905c4e17010cbcf75b3af9605a76012ed224689a83cec9771a8866b7198053fa140beae4f43ff50a9c3b0118bbba17ed04fe408c4ee24f206181d2978f839a780050fdee7f19f8eceb29e9a618b386b0083bed', NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, NULL, NULL, NULL, NULL, 5, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.invocations VALUES ('default', '01a226cd-31e2-7185-80b1-7942bb0955bf', 'queued', 'bell', '1.0.0', 'ring', 'write', NULL, NULL, NULL, 0, NULL, 0, NULL, 0, NULL, NULL, 1795947316.2275891, NULL, NULL, NULL, NULL, '\x01cbc89934d399d5c2460ad3265b0cad732038e25b8c56c4b5e5fd92612c9129ba5d857b92e642438b3f6b8536e4da1d427cac54838273fdeedc3bd7070b2fb87f4450f2783767843f98442a9d46d6b0100bbe7c7cf8c300d36e00fd70e6f79068933c3b5606ecb0600daac6f559dec6c279a5d66288f1dbfa2fdef6a777fa938aaf93829bb650cc5715efce5c5dbb538c60e4a67c08ccb11e5d41f3ec6c5cfb7a8b796f62e0b8887ff5b8226656b6b0315ec65a2af94bdb0ac12c1eeb82f9c5ff1376465e65aaed6cc6f3a72e70de25b69b0a', NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, NULL, NULL, NULL, NULL, 5, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.invocations VALUES ('default', '01a226cd-31e3-729f-96b8-cb250ea51ef8', 'queued', 'bell', '1.0.0', 'ring', 'write', NULL, NULL, NULL, 0, NULL, 0, NULL, 0, NULL, NULL, 1795947316.2275891, NULL, NULL, NULL, NULL, '\x01cbc89934d399d5c29f539480bc21802fe3bbca2ab95837e21132430612c2caef50454235d6c29b9955f4669b81f0cc6e2685f68b4fd99270da429e491549a62450b9f1f3c99fbf115aa6d5ade2119179029f07c0a4a7c98faf60264fd53ce02a31458ef122e51e3fce48b3cf45b8681f7681383d8162f97acdb30b004a8dd3ff6b7051fa9c04e11c1a368cb0500887962abc6d3ba0386a4bb5b2416588d8327fd82d19e091d37f800883d5815c48cdfe108d0b97f4f84eae596c64e219a13a023afaee823110d4292587cdd7d050113b71cd5dc558792f2d67eb6fe8d7bcc6e24935f3b77bd590b120790b298a83efe1ff33f3bf535baf6e', NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 1795954511.227, NULL, NULL, NULL, NULL, NULL, 5, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.invocations VALUES ('default', '01a226cd-321c-79a4-b526-a8271ab31c4b', 'running', 'bell', '1.0.0', 'ring', 'write', NULL, NULL, NULL, 0, NULL, 0, NULL, 0, NULL, NULL, 1795947316.2275891, 1795947316.2275891, NULL, 1795947376.2275891, 'e1c9059cf3322252', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 5, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.invocations VALUES ('default', '01a226cd-3220-7fb3-8a28-46b9cd57db18', 'running', 'bureau', '1.0.0', 'createTicket', 'write', 'desk', NULL, NULL, 0, NULL, 0, NULL, 0, NULL, NULL, 1795947316.2275891, 1795947316.2275891, NULL, 1795947376.2275891, 'e1c9059cf3322252', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 5, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.invocations VALUES ('default', '01a226cd-31f2-7351-910f-810abc1c34f1', 'running', 'bell', '1.0.0', 'hear', 'read', NULL, NULL, NULL, 0, NULL, 0, NULL, 0, NULL, NULL, 1795947316.2275891, 1795947316.2275891, NULL, 1795947376.2275891, 'e1c9059cf3322252', '\x01cbc89934d399d5c28e69fbd262b1e257ea019616c3819d5c3de9247f0906e508ff39b424a208762c97d6a7f31d23b29041ee58b98f327532d28d20ef472df16e09e82d02d13a7fa77e0d424375da94c4e82060f795518da9fbf96f15d1dd7d130d498196b1385f60ad610fae9006c72ef3dec842964366e344ce3e9575247d2cfc08822130ffe6e6eb010e3f3ebf5cc816e89652158aaca9b0a19175a3e99b8aa33e5085d7288b80eb00fe7b583c246bf9f71bd4ef718fe3b85c6994df1c9c903b8a88dd4cd8e82ee107da5186d640d6c425f5c09fd1ddd7b993402c3c51f0e600b67fc1', NULL, NULL, NULL, NULL, NULL, NULL, 1, NULL, 0, NULL, NULL, NULL, NULL, NULL, 9, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.journal_upkeep VALUES ('counts', '');
INSERT INTO public.outbox VALUES (2, 'acme', 'audit.workspace.created', 'workspace:acme', 1795947311.448572, '{"actor": {"kind": "library"}, "at": "2026-11-29T10:15:11.227Z", "details": {"settings": {"allowAmbient": false, "allowOwnExternalId": false, "allowReferences": false, "connectionBudgets": {}, "guards": {}, "keepInputs": false, "limits": {}, "queueConcurrency": 0, "queueRate": 0, "retentionDays": 30, "rules": {"allow": [], "block": []}, "settleAbsent": false, "suspended": false, "theme": {}}}, "event": "workspace.created", "object": "workspace:acme", "sequence": 1}', NULL, NULL, '486beb15-ef64-47cb-aebb-cee9530ab165');
INSERT INTO public.outbox VALUES (9, 'default', 'audit.callback.created', 'callback:cb_01a226cd-31ea-702f-85a1-b821a82cdb61', 1795947311.600976, '{"actor": {"kind": "library"}, "at": "2026-11-29T10:15:16.227Z", "details": {"types": [], "url": "https://hooks.example/x"}, "event": "callback.created", "object": "callback:cb_01a226cd-31ea-702f-85a1-b821a82cdb61", "sequence": 5}', NULL, NULL, '84575af5-ef6d-450a-8764-09af175abebe');
INSERT INTO public.schedules VALUES ('default', '01a226cd-31e5-7a53-a729-1d5b75fc8618', 'hourly', 'bell', 'ring', 'write', NULL, '{"anchor": 1795947316.0, "every": 3600.0, "timezone": "UTC"}', 'latest', 'skip', 'active', NULL, NULL, NULL, 1, 0, 1795950916, 1795950916, NULL, '\x01cbc89934d399d5c228148d16b858ec044926dbcf8acf65f9bb09f98f76a542bdfe67285c2464b7d10527f652f0669b1b198fac1aedd0837b1de8f977395c71a797ead39652649e27bc0e0fc26d3a25795ea737890a9df75f4d336f2a0530bd91f5b4224f98de2428689e831febf0368efb91349bab232ec9e926da834aec51f2a65cf9ed4e7be638f16f53f3521a3d2b405fc8bd3140cf50bd2148004d6780ba36c7d2c0512fd2f7cb29e1ed8069038cc8c35d3b63233cd17c9e85252b0e3bbd408ed0ffd44a344f86b12d7d62bade8592c94ee5c0b9d953522a', 1795947316.2275891, 1795947316.2275891);
INSERT INTO public.schema_migrations VALUES (1, 'first', 1795947310.9754546, '2a8dce674598ad08e10b02dae950b274e38f2f34e7e7d34b1cdc3f71bad96309');
INSERT INTO public.schema_migrations VALUES (2, 'fewer_indexes', 1795947310.977134, '4e9d5a19cbce37488c6aaba7c7addf76212cd74c4ed7fbe9e8b8a809f6f496d4');
INSERT INTO public.schema_migrations VALUES (3, 'cancelled_elsewhere', 1795947310.9780765, '0777a35d9f2a5ff0b453f79a1ab38cc8efe632e249fb87fac0cfdf50f511ed2f');
INSERT INTO public.schema_migrations VALUES (4, 'file_connection_tests', 1795947310.9801335, '410661733d8babade1a937acbbe4b3117734d6459c46f1f56f28556b6fff16cb');
INSERT INTO public.schema_migrations VALUES (5, 'audit', 1795947310.9854574, 'a12a7bf936974270838a3222932cc42d40fafc9cf3940c96f1849bae5089950c');
INSERT INTO public.schema_migrations VALUES (6, 'leases_of_instances', 1795947310.9905803, '5f70e0dfbea641c7f52a3a23a81f2db0d3e6d8f4ec8bbcb2a9b73d866d2b838c');
INSERT INTO public.schema_migrations VALUES (7, 'look_up_by_key', 1795947310.991477, '065636726fce5258abfd9c9a1a0d12df2a204c6363cac2453821ef71152db514');
INSERT INTO public.schema_migrations VALUES (8, 'connection_seals', 1795947310.9919322, '7e01b722c82495f6cee13e146557aec9c69b392cb44429d038c00263ed86017d');
INSERT INTO public.schema_migrations VALUES (9, 'cancel_requested', 1795947310.992268, '199934b324698974ff70b323cbe2e495b15f3042b542b14d06a557e68fc55984');
INSERT INTO public.schema_migrations VALUES (10, 'paces', 1795947310.99454, '9cf0f7ce92d54b2675f51a308f50a1a810a10a794b87f13c24dac37a6eef1b8b');
INSERT INTO public.schema_migrations VALUES (11, 'released', 1795947310.9955873, '8685e956f442243c8693d323400bc0c5b0d7e2fca6ff71cf10e66b39f886c4e7');
INSERT INTO public.schema_migrations VALUES (12, 'queue_features', 1795947311.0002415, 'e242def6fe02c3787f23264abea32b7d3316ae44690ce099967d52566bac2ffe');
INSERT INTO public.schema_migrations VALUES (13, 'files', 1795947311.00736, '5e71903f256a0b9a10272f23f9dd4191534dc3f4d26ccee7dcf9fe9347b54028');
INSERT INTO public.schema_migrations VALUES (14, 'dispatchers', 1795947311.0100944, 'd5f33383a0dcbf7eb3940e763fec11c59e91c354135b80cb188201ac78e1d17d');
INSERT INTO public.schema_migrations VALUES (15, 'journal_at_size', 1795947311.0316484, '7317a8138774c51b0980d56159bade66db5c808b1d77c8a4f2fc0f325e3389b7');
INSERT INTO public.schema_migrations VALUES (16, 'grants', 1795947311.03715, 'af0dc6501fa1dc15a93f98f6e2f78371b79dfecb45c03b819df186734585655c');
INSERT INTO public.schema_migrations VALUES (17, 'dead_letters_in_order', 1795947311.0380707, '567c1cdc7187559922a6879a7985300c9aac987809bd947a81278c66f0d633f6');
INSERT INTO public.schema_migrations VALUES (18, 'plans_of_counts', 1795947311.0384033, 'cc8739b4e1fb8d38356c5836aa95d8b3ae873b5a4e63c12fe0b6a92a653658cf');
INSERT INTO public.schema_migrations VALUES (19, 'interrupted_refreshes', 1795947311.0387092, 'b33f61ae9fdbd84ae0e0986bd8f58e78ed2bcef6f471d8b989f15db236a01912');
INSERT INTO public.schema_migrations VALUES (20, 'counts_by_statement', 1795947311.0397573, 'faf6065a288a29fccb12b3445bf60743a7569c5f888f37d6660c02ec46971524');
INSERT INTO public.schema_migrations VALUES (21, 'one_clock', 1795947311.0421634, '601ec449666503e472fea82e9b55d7aa9601351e0e1422c25715fb2ddfad26b8');
INSERT INTO public.schema_migrations VALUES (22, 'leaps_of_the_clock', 1795947311.042588, '84fef7f74ccd4faddbf85f1612c5622ce0cb3882b66d19979347aecf2dc27db7');
INSERT INTO public.schema_migrations VALUES (23, 'access_seals', 1795947311.0430405, 'e118c301d995d3608324807bbcd6097865dc722ce24072b600e39adc467d0105');
INSERT INTO public.schema_migrations VALUES (24, 'session_seals', 1795947311.0435646, 'be59ec2f45f968eefc4f34a91decc68826c81f6ca4aebfb4f4faee61c72e6a86');
INSERT INTO public.schema_migrations VALUES (25, 'epoch', 1795947311.04688, '448e80c079a6a8d41c63a1a059206c9c474b6c5d133506e52648b8049c3a274f');
INSERT INTO public.schema_migrations VALUES (26, 'events', 1795947311.0589037, 'f619ae3c5021a088c3b7abca922e81becc40dd5558165beb7459ddea300f7436');
INSERT INTO public.schema_migrations VALUES (27, 'schedules', 1795947311.0657475, 'd45f7cb833996a151377a07e80d51b5a59fcf51b671e9f55d641e9698e74ddd8');
INSERT INTO public.schema_migrations VALUES (28, 'callbacks', 1795947311.0731645, '4b67d40b425ce3db9cb3e7651aaa6a3035e0a7deed8f040e1fa003c32aa52cc2');
INSERT INTO public.schema_migrations VALUES (29, 'platform_tokens', 1795947311.0764198, '31af903d752fbdc7fde91cecf02e5221dbe0163ad198497794250c413aa84d5c');
INSERT INTO public.schema_migrations VALUES (30, 'keyed_external_ids', 1795947311.077098, 'c967ee4890bc498fe5a03c3d2444281163b726c5b6ea29254b421b064bb0c638');
INSERT INTO public.schema_migrations VALUES (31, 'connect_sessions', 1795947311.080498, 'f5a129a7a4eecfe58b3943405e5568a0e967dfcf5a7b059a9ef195e7e0655bac');
INSERT INTO public.schema_migrations VALUES (32, 'jobs', 1795947311.082391, '6da5bc4f6d39be70e39556373ca3ce048b9258f36a02a4d54243ee1d5115b4f3');
INSERT INTO public.schema_migrations VALUES (33, 'key_wrappers', 1795947311.0869713, '404a31e021a23329c443aaf7ee4ecfb201862832e271f3f950bebfafab57d514');
INSERT INTO public.schema_migrations VALUES (34, 'subscriptions', 1795947311.095136, '00ca8ba75055efb5f51de76062819f59511262c6064e237a46a71a863d0a1edb');
INSERT INTO public.schema_migrations VALUES (35, 'tenants', 1795947311.101659, 'c41e2e54fad366f6979f7c3f2ba139b7c8950d51504205f7a152146e4a748ec7');
INSERT INTO public.schema_migrations VALUES (36, 'outcomes', 1795947311.1077473, 'a5bb8aea037a847fcea3a13c3f08ee2beab7802d4a556ec2d330bb6b3226dae8');
INSERT INTO public.schema_migrations VALUES (37, 'subscription_work', 1795947311.1115499, '655c3a4824aa29b4f8b1c29c26f53a041a344b94880706b54bd6ab9bb835ce02');
INSERT INTO public.schema_migrations VALUES (38, 'suppressions', 1795947311.114277, 'a672a4b40670a7bacfad47356ffcb749fcc4a48288cf087def9eb66be98ab36b');
INSERT INTO public.schema_migrations VALUES (39, 'outbox', 1795947311.1145165, 'a3debe3571fcf33efc18a18933004147561d244cc1eda99d138173cc6d5ba6b1');
INSERT INTO public.schema_migrations VALUES (40, 'blocked_workspaces', 1795947311.1166654, '65ec52be50dab466cc39323eb7a7cab784ba86e04ab799c066eb5241aaf719b7');
INSERT INTO public.schema_migrations VALUES (41, 'audit_seals', 1795947311.1170254, '3b941560f8341ad4cb0c8c05862bb1fba13955ca5ed78ea82f07daa52548182c');
INSERT INTO public.schema_migrations VALUES (42, 'event_numbers', 1795947311.120231, '759402e81f3ce0b981da442e1ec37e2098efb457b5e0d5aa9d2ae26fc3caa627');
INSERT INTO public.schema_migrations VALUES (43, 'event_marks', 1795947311.1211267, 'd4ded4cc48aeb7cf8000e940923a3938e6adbafeef6f536f1b911df46928bdce');
INSERT INTO public.schema_migrations VALUES (44, 'twins', 1795947311.1231608, 'd97c602b108a4b999091f437f68719ba6830eb577d7c607f2c7cfe5e6f35d905');
INSERT INTO public.schema_migrations VALUES (45, 'platform_callbacks', 1795947311.1269891, '6f2603e46c899b0ce640a8a4baaf65903f8cc0e92faea633f08d2d54aedbd0ac');
INSERT INTO public.schema_migrations VALUES (46, 'exchanges', 1795947311.129168, 'd77fdf266f377d5dceb066b051af1c7667e2dc47d7d09de591b1cf0df74f405c');
INSERT INTO public.schema_migrations VALUES (47, 'oauth_clients', 1795947311.1317031, 'd543bd9821222f7000a7033e4873e621eb0a7905a6e29e6277b765aa806356f8');
INSERT INTO public.schema_migrations VALUES (48, 'shared_settings', 1795947311.134128, '4d733268f50d5b7fd143fe22ca49c5877427439af5e887a68df41740a50d876a');
INSERT INTO public.schema_migrations VALUES (49, 'approvals', 1795947311.139528, 'e08540cf77c54053cc23a5c9a284a0bf9b8895992f96de3f381d4fccd64b040a');
INSERT INTO public.schema_migrations VALUES (50, 'sign_ins', 1795947311.1436827, '0ed55c5566c2d2884f97912749bee6d8b59d9d07703ce7a0dea927ca3f00b833');
INSERT INTO public.schema_migrations VALUES (51, 'doubts', 1795947311.1466892, '86abcf48d7c8078e9f1e72d34195864901e921a9d7568d21f292100152fd472d');
INSERT INTO public.schema_migrations VALUES (52, 'approvals_shown', 1795947311.1471035, 'e489b5db4ca2ea00ba98cf1cc4deb545785ae8c6617a74c9e9f03d1bc74e5eaa');
INSERT INTO public.schema_migrations VALUES (53, 'kept_rules', 1795947311.1492147, '296e61e253b1e56c43b71582285277411e97318423763c6712339a12791af1e3');
INSERT INTO public.schema_migrations VALUES (54, 'mcp_servers', 1795947311.151768, '307bad1d933aa84dbe7c5ae349a9c3a7e3c8615e3f0452f60ae547096686e813');
INSERT INTO public.schema_migrations VALUES (55, 'client_registrations', 1795947311.1541643, 'c0f5edcc74b342c5e2a53d97f6754013b4aac090f3035f9820a364c15965150a');
INSERT INTO public.schema_migrations VALUES (56, 'connect_records', 1795947311.1545389, '3ccec7e06af372e7d59cc82089b6c42cb3a469972aa464e054cca3daf2458baa');
INSERT INTO public.schema_migrations VALUES (57, 'marked_events', 1795947311.1598334, '1586560334153a6899d209a4e89ab2767c666da94e66e153bca5912da94bf478');
INSERT INTO public.schema_migrations VALUES (58, 'record_reads', 1795947311.1641126, '6e09f15d5b88f7b4e0e6c2b0bfb86e67e76aee3b36dacd6d9eb32ac81c05c3f2');
INSERT INTO public.schema_migrations VALUES (59, 'looks_counted', 1795947311.164776, 'cb23dc090760af1ab7694dacb307123541de177addef0721a2e53ce62bc4252d');
INSERT INTO public.schema_migrations VALUES (60, 'platform_creators', 1795947311.1651285, '3bf75e0549cd03d716a3a38f800d2b541acf09a0d5ef18e79bf376a18d021e1f');
INSERT INTO public.schema_migrations VALUES (61, 'awaited_approvals', 1795947311.166111, 'a11f7628ff98c6223536c38175d01581cd16f608b38c2f6063ef9870f947d388');
INSERT INTO public.schema_migrations VALUES (62, 'marked_event_sources', 1795947311.1674035, 'efe015e53454b95598c94930702d7628c40cf8dff52a7e859e9863d44a916975');
INSERT INTO public.schema_migrations VALUES (63, 'attention', 1795947311.170951, '4fe4059ad013e901b4a3757e8d17d46f0a54b05b6aa191a7b8269ccecfdfe46a');
INSERT INTO public.schema_migrations VALUES (64, 'connection_names', 1795947311.1718347, '041665dc042f7bb2d3a61ffd2d37a353232d7e7a99de144536608c1909c59230');
INSERT INTO public.schema_migrations VALUES (65, 'connections_attention', 1795947311.1731489, '6a2c1d9f2f2062677b5ac3daa4f083dc4710444a2afe971655f21f5e1840174a');
INSERT INTO public.workspaces VALUES ('acme', 1795947311.2275891, '{"rules": {"allow": [], "block": []}, "keepInputs": false, "retentionDays": 30, "allowReferences": false, "allowAmbient": false, "allowOwnExternalId": false, "queueRate": 0, "queueConcurrency": 0, "connectionBudgets": {}, "suspended": false, "limits": {}, "theme": {}, "guards": {}, "settleAbsent": false}', '\x01e3c0f74d5b8280039467d1e4b09c89ca9e5e8e023293fe8f17a967b1ee01e145280e78d3');
INSERT INTO public.workspaces VALUES ('default', 1795947311.2275891, '{"rules": {"allow": [], "block": [], "approve": ["bell/toll"]}, "keepInputs": false, "retentionDays": 30, "allowReferences": false, "allowAmbient": false, "allowOwnExternalId": false, "queueRate": 0, "queueConcurrency": 0, "connectionBudgets": {}, "suspended": false, "limits": {}, "theme": {}, "guards": {}, "settleAbsent": false}', '\x01cbc89934d399d5c20a670d37a14bc9fe20460288230f6d98e1574dff2a73b5cfcfd59654');
SELECT pg_catalog.setval('public.invocation_counts_id_seq', 25, true);
SELECT pg_catalog.setval('public.invocation_kinds_id_seq', 7, true);
SELECT pg_catalog.setval('public.outbox_id_seq', 9, true);
ALTER TABLE ONLY public.approvals
    ADD CONSTRAINT approvals_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT audit_entries_pkey PRIMARY KEY (workspace, sequence);
ALTER TABLE ONLY public.audit_heads
    ADD CONSTRAINT audit_heads_pkey PRIMARY KEY (workspace);
ALTER TABLE ONLY public.authorizations
    ADD CONSTRAINT authorizations_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.blocked_workspaces
    ADD CONSTRAINT blocked_workspaces_pkey PRIMARY KEY (workspace);
ALTER TABLE ONLY public.callback_positions
    ADD CONSTRAINT callback_positions_pkey PRIMARY KEY (callback, workspace);
ALTER TABLE ONLY public.callbacks
    ADD CONSTRAINT callbacks_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.client_registrations
    ADD CONSTRAINT client_registrations_pkey PRIMARY KEY (workspace, digest);
ALTER TABLE ONLY public.clock
    ADD CONSTRAINT clock_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.connect_sessions
    ADD CONSTRAINT connect_sessions_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.connection_secrets
    ADD CONSTRAINT connection_secrets_pkey PRIMARY KEY (workspace, connection_id, field, version);
ALTER TABLE ONLY public.connections
    ADD CONSTRAINT connections_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.console_sessions
    ADD CONSTRAINT console_sessions_pkey PRIMARY KEY (workspace, digest);
ALTER TABLE ONLY public.data_keys
    ADD CONSTRAINT data_keys_pkey PRIMARY KEY (workspace, key_id);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (workspace, callback, sequence);
ALTER TABLE ONLY public.dispatchers
    ADD CONSTRAINT dispatchers_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.doubt_markers
    ADD CONSTRAINT doubt_markers_pkey PRIMARY KEY (workspace, digest);
ALTER TABLE ONLY public.doubts
    ADD CONSTRAINT doubts_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.duration_limits
    ADD CONSTRAINT duration_limits_pkey PRIMARY KEY (upper_limit);
ALTER TABLE ONLY public.epoch
    ADD CONSTRAINT epoch_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.event_counts
    ADD CONSTRAINT event_counts_pkey PRIMARY KEY (workspace, day);
ALTER TABLE ONLY public.event_heads
    ADD CONSTRAINT event_heads_pkey PRIMARY KEY (workspace);
ALTER TABLE ONLY public.event_keys
    ADD CONSTRAINT event_keys_pkey PRIMARY KEY (workspace, subscription_id, digest);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (workspace, sequence);
ALTER TABLE ONLY public.external_ids
    ADD CONSTRAINT external_ids_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.file_connection_tests
    ADD CONSTRAINT file_connection_tests_pkey PRIMARY KEY (workspace, name);
ALTER TABLE ONLY public.file_holds
    ADD CONSTRAINT file_holds_pkey PRIMARY KEY (workspace, file_id, invocation_id);
ALTER TABLE ONLY public.file_usage
    ADD CONSTRAINT file_usage_pkey PRIMARY KEY (workspace);
ALTER TABLE ONLY public.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_pkey PRIMARY KEY (workspace, connection_id);
ALTER TABLE ONLY public.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.instances
    ADD CONSTRAINT instances_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.invocation_counts
    ADD CONSTRAINT invocation_counts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.invocation_exchanges
    ADD CONSTRAINT invocation_exchanges_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.invocation_kinds
    ADD CONSTRAINT invocation_kinds_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.invocation_references
    ADD CONSTRAINT invocation_references_pkey PRIMARY KEY (workspace, id, reference);
ALTER TABLE ONLY public.invocation_terms
    ADD CONSTRAINT invocation_terms_pkey PRIMARY KEY (workspace, term, created_at, id);
ALTER TABLE ONLY public.invocations
    ADD CONSTRAINT invocations_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.journal_upkeep
    ADD CONSTRAINT journal_upkeep_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.kept_rules
    ADD CONSTRAINT kept_rules_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (workspace, connection_key, lease_key);
ALTER TABLE ONLY public.marked_events
    ADD CONSTRAINT marked_events_pkey PRIMARY KEY (workspace, digest, reference);
ALTER TABLE ONLY public.mcp_servers
    ADD CONSTRAINT mcp_servers_pkey PRIMARY KEY (workspace, name);
ALTER TABLE ONLY public.oauth_clients
    ADD CONSTRAINT oauth_clients_pkey PRIMARY KEY (workspace, name);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.outcomes
    ADD CONSTRAINT outcomes_pkey PRIMARY KEY (workspace, reference, part);
ALTER TABLE ONLY public.paces
    ADD CONSTRAINT paces_pkey PRIMARY KEY (workspace, pace_key);
ALTER TABLE ONLY public.platform_tokens
    ADD CONSTRAINT platform_tokens_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.queue_budgets
    ADD CONSTRAINT queue_budgets_pkey PRIMARY KEY (workspace);
ALTER TABLE ONLY public.record_paces
    ADD CONSTRAINT record_paces_pkey PRIMARY KEY (place);
ALTER TABLE ONLY public.record_reads
    ADD CONSTRAINT record_reads_pkey PRIMARY KEY (workspace, digest);
ALTER TABLE ONLY public.revocations
    ADD CONSTRAINT revocations_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.schedule_slots
    ADD CONSTRAINT schedule_slots_pkey PRIMARY KEY (workspace, schedule_id, slot);
ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.sign_ins
    ADD CONSTRAINT sign_ins_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.subscription_items
    ADD CONSTRAINT subscription_items_pkey PRIMARY KEY (workspace, subscription_id, item);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (workspace, id);
ALTER TABLE ONLY public.workspace_wrappers
    ADD CONSTRAINT workspace_wrappers_pkey PRIMARY KEY (workspace);
ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT workspaces_pkey PRIMARY KEY (name);
CREATE INDEX approvals_listed ON public.approvals USING btree (workspace, requested_at, id);
CREATE UNIQUE INDEX approvals_twins ON public.approvals USING btree (workspace, twin) WHERE ((status = 'waiting'::text) AND (twin IS NOT NULL));
CREATE INDEX approvals_waiting ON public.approvals USING btree (workspace, requested_at, id) WHERE (status = 'waiting'::text);
CREATE INDEX audit_entries_actor ON public.audit_entries USING btree (workspace, actor, sequence);
CREATE INDEX audit_entries_names ON public.audit_entries USING btree (workspace, object, sequence) WHERE (event = ANY (ARRAY['connection.created'::text, 'connection.renamed'::text, 'connection.removed'::text]));
CREATE INDEX audit_entries_object ON public.audit_entries USING btree (workspace, object, sequence);
CREATE UNIQUE INDEX authorizations_digest ON public.authorizations USING btree (digest);
CREATE INDEX callback_positions_workspace ON public.callback_positions USING btree (workspace);
CREATE INDEX callbacks_failing ON public.callbacks USING btree (workspace) WHERE (failing_since IS NOT NULL);
CREATE UNIQUE INDEX connect_sessions_digest ON public.connect_sessions USING btree (digest);
CREATE UNIQUE INDEX connect_sessions_id ON public.connect_sessions USING btree (id);
CREATE INDEX connect_sessions_last ON public.connect_sessions USING btree (workspace, expires_at, id);
CREATE INDEX connections_attention ON public.connections USING btree (workspace) WHERE (status = ANY (ARRAY['failing'::text, 'expired'::text]));
CREATE INDEX connections_awaited ON public.connections USING btree (workspace) WHERE (session IS NOT NULL);
CREATE UNIQUE INDEX connections_name ON public.connections USING btree (workspace, name);
CREATE INDEX connections_type ON public.connections USING btree (workspace, type, name);
CREATE UNIQUE INDEX data_keys_current ON public.data_keys USING btree (workspace) WHERE (retired_at IS NULL);
CREATE INDEX data_keys_master ON public.data_keys USING btree (master_key_id);
CREATE INDEX deliveries_dead ON public.deliveries USING btree (workspace, callback) WHERE (state = 'dead'::text);
CREATE INDEX deliveries_due ON public.deliveries USING btree (workspace, callback, next_at, sequence) WHERE (state = 'pending'::text);
CREATE INDEX deliveries_ended ON public.deliveries USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE UNIQUE INDEX deliveries_id ON public.deliveries USING btree (workspace, id);
CREATE INDEX deliveries_source ON public.deliveries USING btree (source, callback, event_sequence) WHERE (source IS NOT NULL);
CREATE INDEX deliveries_state ON public.deliveries USING btree (workspace, state, id);
CREATE INDEX doubt_markers_id ON public.doubt_markers USING btree (workspace, id);
CREATE INDEX doubts_due ON public.doubts USING btree (look_at) WHERE (look_at IS NOT NULL);
CREATE INDEX event_keys_at ON public.event_keys USING btree (workspace, at);
CREATE UNIQUE INDEX events_id ON public.events USING btree (workspace, id);
CREATE INDEX external_ids_connection ON public.external_ids USING btree (workspace, connection_id);
CREATE INDEX files_created ON public.files USING btree (workspace, created_at, id);
CREATE INDEX files_expiry ON public.files USING btree (expires_at);
CREATE UNIQUE INDEX invocation_counts_slot ON public.invocation_counts USING btree (workspace, width, slot, connector, action, status, error_code, bucket, shard);
CREATE INDEX invocation_kinds_all ON public.invocation_kinds USING btree (workspace, connector, action, status, effect, connection, caller, error_code);
CREATE INDEX invocation_references_connection ON public.invocation_references USING btree (workspace, connection, id) WHERE (connection IS NOT NULL);
CREATE INDEX invocation_references_reference ON public.invocation_references USING btree (workspace, reference);
CREATE INDEX invocations_by_connection ON public.invocations USING btree (workspace, connection, priority, available_at, id) WHERE (status = 'queued'::text);
CREATE INDEX invocations_by_key ON public.invocations USING btree (workspace, idempotency_key, created_at, id) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX invocations_cancel ON public.invocations USING btree (owner) WHERE (cancel_at IS NOT NULL);
CREATE INDEX invocations_claimed ON public.invocations USING btree (owner) WHERE ((status = 'queued'::text) AND (owner IS NOT NULL));
CREATE INDEX invocations_created ON public.invocations USING btree (workspace, created_at, id);
CREATE INDEX invocations_dead ON public.invocations USING btree (workspace, dead_at, id) WHERE (dead_at IS NOT NULL);
CREATE INDEX invocations_dead_created ON public.invocations USING btree (workspace, created_at, id) WHERE (dead_at IS NOT NULL);
CREATE INDEX invocations_in_turn ON public.invocations USING btree (workspace, priority, available_at, id) WHERE (status = 'queued'::text);
CREATE INDEX invocations_jobs ON public.invocations USING btree (available_at) WHERE ((job IS NOT NULL) AND (owner IS NULL));
CREATE UNIQUE INDEX invocations_key ON public.invocations USING btree (workspace, idempotency_key) WHERE (key_held = 1);
CREATE INDEX invocations_kind ON public.invocations USING btree (workspace, connector, action, status, COALESCE(effect, ''::text), COALESCE(connection, ''::text), COALESCE(caller, ''::text), COALESCE(error_code, ''::text), created_at, id) WHERE (status <> 'running'::text);
CREATE INDEX invocations_not_after ON public.invocations USING btree (not_after) WHERE ((status = 'queued'::text) AND (not_after IS NOT NULL));
CREATE INDEX invocations_queued ON public.invocations USING btree (workspace, available_at, id) WHERE (status = 'queued'::text);
CREATE INDEX invocations_released ON public.invocations USING btree (released_at) WHERE ((status = 'queued'::text) AND (released_at IS NOT NULL));
CREATE INDEX invocations_request ON public.invocations USING btree (workspace, request_id, created_at, id) WHERE (request_id IS NOT NULL);
CREATE INDEX invocations_running ON public.invocations USING btree (workspace, created_at, id) WHERE (status = 'running'::text);
CREATE UNIQUE INDEX invocations_twin ON public.invocations USING btree (workspace, twin) WHERE ((twin IS NOT NULL) AND (status = ANY (ARRAY['running'::text, 'in_doubt'::text])));
CREATE INDEX invocations_twins ON public.invocations USING btree (workspace, twin, settled_at) WHERE (twin IS NOT NULL);
CREATE INDEX invocations_waiting ON public.invocations USING btree (workspace, created_at, id) WHERE ((status = 'queued'::text) AND (available_at IS NULL));
CREATE INDEX marked_events_received ON public.marked_events USING btree (workspace, received_at);
CREATE INDEX marked_events_source ON public.marked_events USING btree (workspace, source, received_at);
CREATE INDEX outbox_workspace ON public.outbox USING btree (workspace, id);
CREATE INDEX outcomes_at ON public.outcomes USING btree (workspace, at);
CREATE INDEX outcomes_suppressing ON public.outcomes USING btree (workspace, part) WHERE (blocks > 0);
CREATE INDEX outcomes_suppressing_at ON public.outcomes USING btree (workspace, at, reference) WHERE (blocks > 0);
CREATE UNIQUE INDEX platform_tokens_digest ON public.platform_tokens USING btree (digest);
CREATE INDEX revocations_wake ON public.revocations USING btree (wake_at);
CREATE INDEX schedule_slots_waiting ON public.schedule_slots USING btree (workspace, schedule_id, slot) WHERE (outcome = 'waiting'::text);
CREATE UNIQUE INDEX schedules_name ON public.schedules USING btree (workspace, name);
CREATE INDEX schedules_stopped ON public.schedules USING btree (workspace) WHERE (status = 'stopped'::text);
CREATE INDEX schedules_wake ON public.schedules USING btree (wake_at) WHERE (wake_at IS NOT NULL);
CREATE INDEX sign_ins_expiry ON public.sign_ins USING btree (expires_at);
CREATE INDEX sign_ins_person ON public.sign_ins USING btree (person);
CREATE INDEX sign_ins_session ON public.sign_ins USING btree (session);
CREATE INDEX subscription_items_round ON public.subscription_items USING btree (workspace, subscription_id, round);
CREATE INDEX subscriptions_failing ON public.subscriptions USING btree (workspace) WHERE (status = 'failing'::text);
CREATE INDEX subscriptions_lost ON public.subscriptions USING btree (workspace, lost) WHERE (lost IS NOT NULL);
CREATE UNIQUE INDEX subscriptions_name ON public.subscriptions USING btree (workspace, name);
CREATE UNIQUE INDEX subscriptions_path ON public.subscriptions USING btree (path_digest) WHERE (path_digest IS NOT NULL);
CREATE INDEX subscriptions_wake ON public.subscriptions USING btree (wake_at) WHERE (wake_at IS NOT NULL);
CREATE UNIQUE INDEX tokens_digest ON public.tokens USING btree (digest);
CREATE TRIGGER audit_entries_event AFTER INSERT ON public.audit_entries FOR EACH ROW EXECUTE FUNCTION public.audit_entries_told();
CREATE TRIGGER connections_changed_event AFTER UPDATE OF version, name, account_id ON public.connections FOR EACH ROW WHEN (((new.version <> old.version) OR (new.name <> old.name) OR (new.account_id <> old.account_id))) EXECUTE FUNCTION public.connections_change_told();
CREATE CONSTRAINT TRIGGER connections_epoch AFTER INSERT OR DELETE OR UPDATE OF workspace, id, name, type, version, public_values ON public.connections DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.epoch_raised();
CREATE TRIGGER connections_status_event AFTER UPDATE OF status ON public.connections FOR EACH ROW WHEN (((new.status <> old.status) AND ((new.status = ANY (ARRAY['failing'::text, 'expired'::text])) OR ((new.status = 'ok'::text) AND (old.status = ANY (ARRAY['failing'::text, 'expired'::text])))))) EXECUTE FUNCTION public.connections_status_told();
CREATE TRIGGER invocations_added AFTER INSERT ON public.invocations REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.invocations_inserted();
CREATE TRIGGER invocations_finished_event AFTER UPDATE OF status ON public.invocations FOR EACH ROW WHEN (((old.status = ANY (ARRAY['queued'::text, 'running'::text])) AND (new.status = ANY (ARRAY['succeeded'::text, 'failed'::text, 'in_doubt'::text])) AND ((new.available_at IS NOT NULL) OR (POSITION(('"notify": true'::text) IN (new.context)) > 0)))) EXECUTE FUNCTION public.invocations_told();
CREATE TRIGGER invocations_moved AFTER UPDATE OF status, error_code, attempts, settled_at ON public.invocations FOR EACH ROW WHEN (((new.status <> old.status) OR (new.error_code IS DISTINCT FROM old.error_code) OR (new.attempts <> old.attempts) OR (new.settled_at IS DISTINCT FROM old.settled_at))) EXECUTE FUNCTION public.invocations_counted();
CREATE TRIGGER invocations_recorded_event AFTER INSERT ON public.invocations FOR EACH ROW WHEN (((new.status = ANY (ARRAY['succeeded'::text, 'failed'::text, 'in_doubt'::text])) AND ((new.available_at IS NOT NULL) OR (POSITION(('"notify": true'::text) IN (new.context)) > 0)))) EXECUTE FUNCTION public.invocations_told();
CREATE TRIGGER invocations_resolved_event AFTER UPDATE OF status, error_code ON public.invocations FOR EACH ROW WHEN (((old.status = ANY (ARRAY['succeeded'::text, 'failed'::text, 'in_doubt'::text])) AND (new.status = ANY (ARRAY['succeeded'::text, 'failed'::text, 'in_doubt'::text])) AND ((new.status <> old.status) OR (new.error_code IS DISTINCT FROM old.error_code)))) EXECUTE FUNCTION public.invocations_told_again();
CREATE CONSTRAINT TRIGGER mcp_servers_epoch AFTER INSERT OR DELETE OR UPDATE ON public.mcp_servers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.epoch_raised();
CREATE CONSTRAINT TRIGGER oauth_clients_epoch AFTER INSERT OR DELETE OR UPDATE ON public.oauth_clients DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.epoch_raised();
CREATE CONSTRAINT TRIGGER platform_tokens_epoch AFTER INSERT OR DELETE OR UPDATE OF id, name, workspaces, digest, created_at, expires_at, revoked_at, seal ON public.platform_tokens DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.epoch_raised();
CREATE CONSTRAINT TRIGGER tokens_epoch AFTER INSERT OR DELETE OR UPDATE OF workspace, id, name, scope, digest, rules, created_at, expires_at, revoked_at ON public.tokens DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.epoch_raised();
CREATE CONSTRAINT TRIGGER workspaces_epoch AFTER INSERT OR DELETE OR UPDATE ON public.workspaces DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.epoch_raised();
ALTER TABLE ONLY public.connection_secrets
    ADD CONSTRAINT connection_secrets_workspace_connection_id_fkey FOREIGN KEY (workspace, connection_id) REFERENCES public.connections(workspace, id) ON DELETE CASCADE;
