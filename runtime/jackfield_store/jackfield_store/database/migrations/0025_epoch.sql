-- The epoch (jackfield.database.epoch): a number that moves with each change of what decides calls, in the change's own transaction,
-- whoever makes it. Columns that are written by calls themselves (the last use of a token, the status of a connection) do not move it.
CREATE TABLE epoch (
    name {text} NOT NULL PRIMARY KEY,
    number {bigint} NOT NULL
) {table};
INSERT INTO epoch (name, number) VALUES ('shared', 1);

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
-- sqlite:
CREATE TRIGGER workspaces_inserted_epoch AFTER INSERT ON workspaces
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- sqlite:
CREATE TRIGGER workspaces_deleted_epoch AFTER DELETE ON workspaces
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- sqlite:
CREATE TRIGGER workspaces_updated_epoch AFTER UPDATE ON workspaces
BEGIN
    UPDATE epoch SET number = number + 1;
END;

-- postgresql:
CREATE FUNCTION epoch_raised() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
UPDATE epoch SET number = number + 1;
RETURN NULL;
END
$$;
-- postgresql:
-- Deferred to the commit, so that the row is the last that a transaction locks: no two can wait for each other.
CREATE CONSTRAINT TRIGGER connections_epoch AFTER INSERT OR DELETE OR UPDATE OF workspace, id, name, type, version, public_values
ON connections DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION epoch_raised();
-- postgresql:
CREATE CONSTRAINT TRIGGER tokens_epoch AFTER INSERT OR DELETE
OR UPDATE OF workspace, id, name, scope, digest, rules, created_at, expires_at, revoked_at
ON tokens DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION epoch_raised();
-- postgresql:
CREATE CONSTRAINT TRIGGER workspaces_epoch AFTER INSERT OR DELETE OR UPDATE ON workspaces
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION epoch_raised();
