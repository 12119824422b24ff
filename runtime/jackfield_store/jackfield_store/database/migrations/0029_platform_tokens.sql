-- Tokens of platforms (jackfield.access.platform_tokens): each manages the workspaces whose names match its pattern. They are no tokens of a
-- workspace, so that an older process knows none of them.
CREATE TABLE platform_tokens (
    id {text} NOT NULL PRIMARY KEY,
    name {text} NOT NULL,
    workspaces {text} NOT NULL,
    digest {text} NOT NULL,
    created_at {double} NOT NULL,
    expires_at {double},
    revoked_at {double},
    last_used_at {double},
    seal {blob} NOT NULL
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
