-- Callbacks of platforms (jackfield.events.positions). Their rows and deliveries stand under 'platform:' and the platform's pattern, which is
-- the name of no workspace. ``source`` and ``event_sequence`` are the event of such a delivery; its ``sequence`` is a number of its callback,
-- whose ``position`` is the last one given. ``callback_positions`` says up to which event of each workspace deliveries were made.
ALTER TABLE deliveries ADD COLUMN source {text};
ALTER TABLE deliveries ADD COLUMN event_sequence {bigint};
CREATE INDEX deliveries_source ON deliveries (source, callback, event_sequence) WHERE source IS NOT NULL;

CREATE TABLE callback_positions (
    callback {text} NOT NULL,
    workspace {text} NOT NULL,
    position {bigint} NOT NULL,
    PRIMARY KEY (callback, workspace)
) {clustered};
CREATE INDEX callback_positions_workspace ON callback_positions (workspace);
