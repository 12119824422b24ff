-- ``created_by``: who created the token, unless it was the operator; he approves no calls by it.
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
    seal {blob},
    created_by {text},
    PRIMARY KEY (workspace, id)
) {table};
CREATE UNIQUE INDEX tokens_digest ON tokens (digest);

-- sqlite:
CREATE TRIGGER tokens_inserted_epoch AFTER INSERT ON tokens
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- sqlite:
CREATE TRIGGER tokens_deleted_epoch AFTER DELETE ON tokens
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- sqlite:
CREATE TRIGGER tokens_updated_epoch
AFTER UPDATE OF workspace, id, name, scope, digest, rules, created_at, expires_at, revoked_at ON tokens
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- postgresql:
CREATE CONSTRAINT TRIGGER tokens_epoch AFTER INSERT OR DELETE
OR UPDATE OF workspace, id, name, scope, digest, rules, created_at, expires_at, revoked_at
ON tokens DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION epoch_raised();

-- Tokens of platforms: each manages the workspaces whose names match its pattern. ``created_by`` approves no calls by the tokens that this
-- one creates.
CREATE TABLE platform_tokens (
    id {text} NOT NULL PRIMARY KEY,
    name {text} NOT NULL,
    workspaces {text} NOT NULL,
    digest {text} NOT NULL,
    created_at {double} NOT NULL,
    expires_at {double},
    revoked_at {double},
    last_used_at {double},
    seal {blob} NOT NULL,
    created_by {text}
) {table};
CREATE UNIQUE INDEX platform_tokens_digest ON platform_tokens (digest);

-- sqlite:
CREATE TRIGGER platform_tokens_inserted_epoch AFTER INSERT ON platform_tokens
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- sqlite:
CREATE TRIGGER platform_tokens_deleted_epoch AFTER DELETE ON platform_tokens
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- sqlite:
CREATE TRIGGER platform_tokens_updated_epoch
AFTER UPDATE OF id, name, workspaces, digest, created_at, expires_at, revoked_at, seal ON platform_tokens
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- postgresql:
CREATE CONSTRAINT TRIGGER platform_tokens_epoch AFTER INSERT OR DELETE
OR UPDATE OF id, name, workspaces, digest, created_at, expires_at, revoked_at, seal
ON platform_tokens DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION epoch_raised();
