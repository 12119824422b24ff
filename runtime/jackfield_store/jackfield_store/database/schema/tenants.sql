-- ``seal`` proves the settings.
CREATE TABLE workspaces (
    name {text} NOT NULL PRIMARY KEY,
    created_at {double} NOT NULL,
    settings {text} NOT NULL DEFAULT '{}',
    seal {blob}
) {table};

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
CREATE CONSTRAINT TRIGGER workspaces_epoch AFTER INSERT OR DELETE OR UPDATE ON workspaces
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION epoch_raised();

-- Rules of workspaces that a platform has deleted for good, by name: they bind a workspace of that name that is created later
--.
CREATE TABLE kept_rules (
    name {text} NOT NULL PRIMARY KEY,
    rules {text} NOT NULL,
    seal {blob} NOT NULL
) {table};
