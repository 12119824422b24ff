-- What a person has approved at the provider for a connection (OAuth 2.0), sealed; ``reason`` says why a grant has ended.
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
