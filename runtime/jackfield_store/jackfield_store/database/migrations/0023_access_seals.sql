-- Prove what decides access: tokens with their rules, and the settings of workspaces. Existing rows are sealed in the same transaction.
ALTER TABLE tokens ADD COLUMN seal {blob};
ALTER TABLE workspaces ADD COLUMN seal {blob};
