-- The pace of calls over one account of a provider, shared by all processes. The key is a hash of connector, budget and account.
CREATE TABLE paces (
    workspace {text} NOT NULL,
    pace_key {text} NOT NULL,
    state {text} NOT NULL,
    updated_at {double} NOT NULL,
    PRIMARY KEY (workspace, pace_key)
) {table};
