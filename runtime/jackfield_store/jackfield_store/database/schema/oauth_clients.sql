-- OAuth clients that connections refer to by name. Those of the workspace 'default' are the
-- server's, for all workspaces without one of that name. ``sealed`` has the secrets, for exactly these hosts and open values.
CREATE TABLE oauth_clients (
    workspace {text} NOT NULL,
    name {text} NOT NULL,
    version {bigint} NOT NULL,
    origin {text} NOT NULL,
    hosts {text} NOT NULL,
    public_values {text} NOT NULL,
    sealed {blob} NOT NULL,
    created_at {double} NOT NULL,
    updated_at {double} NOT NULL,
    PRIMARY KEY (workspace, name)
) {table};

-- sqlite:
CREATE TRIGGER oauth_clients_inserted_epoch AFTER INSERT ON oauth_clients
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- sqlite:
CREATE TRIGGER oauth_clients_deleted_epoch AFTER DELETE ON oauth_clients
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- sqlite:
CREATE TRIGGER oauth_clients_updated_epoch AFTER UPDATE ON oauth_clients
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- postgresql:
CREATE CONSTRAINT TRIGGER oauth_clients_epoch AFTER INSERT OR DELETE OR UPDATE ON oauth_clients
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION epoch_raised();
