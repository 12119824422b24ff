-- Events as evidence of doubts (jackfield_store.journal.marks). doubt_markers finds the doubt of a marker; a row is written when a call ends
-- in doubt, and lives as long as that. marked_events has the events that carry a marker and name no known invocation: they may overtake the
-- doubt, so they are kept for 72 hours. ``digest`` is of the marker, ``reference`` of the provider's ID.
CREATE TABLE doubt_markers (
    workspace {text} NOT NULL,
    digest {text} NOT NULL,
    id {text} NOT NULL,
    PRIMARY KEY (workspace, digest)
) {table};
CREATE INDEX doubt_markers_id ON doubt_markers (workspace, id);
CREATE TABLE marked_events (
    workspace {text} NOT NULL,
    digest {text} NOT NULL,
    reference {text} NOT NULL,
    received_at {double} NOT NULL,
    sealed {blob} NOT NULL,
    PRIMARY KEY (workspace, digest, reference)
) {table};
CREATE INDEX marked_events_received ON marked_events (workspace, received_at);
