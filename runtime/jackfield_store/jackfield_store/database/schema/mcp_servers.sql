-- Live MCP servers with their manifests as they were accepted. Those of the workspace 'default'
-- that are shared are for all workspaces. ``sealed`` has the manifest, for exactly this server: nobody who writes to the database changes
-- where credentials go, or what a tool is.
CREATE TABLE mcp_servers (
    workspace {text} NOT NULL,
    name {text} NOT NULL,
    version {bigint} NOT NULL,
    url {text} NOT NULL,
    trust {text} NOT NULL,
    origin {text} NOT NULL,
    is_shared {boolean} NOT NULL,
    tools {bigint} NOT NULL,
    sealed {blob} NOT NULL,
    created_at {double} NOT NULL,
    accepted_at {double} NOT NULL,
    PRIMARY KEY (workspace, name)
) {table};

-- sqlite:
CREATE TRIGGER mcp_servers_inserted_epoch AFTER INSERT ON mcp_servers
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- sqlite:
CREATE TRIGGER mcp_servers_deleted_epoch AFTER DELETE ON mcp_servers
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- sqlite:
CREATE TRIGGER mcp_servers_updated_epoch AFTER UPDATE ON mcp_servers
BEGIN
    UPDATE epoch SET number = number + 1;
END;
-- postgresql:
CREATE CONSTRAINT TRIGGER mcp_servers_epoch AFTER INSERT OR DELETE OR UPDATE ON mcp_servers
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION epoch_raised();
