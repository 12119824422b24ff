-- Digests of External IDs are keyed from now on, so that who reads the table cannot try out External IDs. Existing digests are replaced in
-- the same transaction, by jackfield.connections.external_ids.
DELETE FROM external_ids WHERE NOT EXISTS (SELECT 1 FROM connections WHERE connections.workspace = external_ids.workspace
    AND connections.id = external_ids.connection_id);
