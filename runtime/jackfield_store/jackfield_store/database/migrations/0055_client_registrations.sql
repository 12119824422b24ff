-- Clients that were registered at providers which servers name (jackfield_store.connections.client_registrations): one for each provider,
-- server and redirect URI of a workspace, whose digest is the key. ``wanted`` are scopes that a provider asked for since the approval.
CREATE TABLE client_registrations (
    workspace {text} NOT NULL,
    digest {text} NOT NULL,
    sealed {blob} NOT NULL,
    created_at {double} NOT NULL,
    PRIMARY KEY (workspace, digest)
) {table};
ALTER TABLE grants ADD COLUMN wanted {text};
