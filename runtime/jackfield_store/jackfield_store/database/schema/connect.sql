-- Connect sessions: a platform's user connects an account on a page of this server. Everything but the
-- status, which is in the seal too, is sealed; the digest is that of the secret in the link.
CREATE TABLE connect_sessions (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    digest {text} NOT NULL,
    status {text} NOT NULL,
    sealed {blob} NOT NULL,
    expires_at {double} NOT NULL,
    PRIMARY KEY (workspace, id)
) {table};
CREATE UNIQUE INDEX connect_sessions_digest ON connect_sessions (digest);
CREATE UNIQUE INDEX connect_sessions_id ON connect_sessions (id);
CREATE INDEX connect_sessions_last ON connect_sessions (workspace, expires_at, id);
