-- ``reference`` is the digest of an ID with which the provider had answered; an event that names it belongs to the invocation. Messages are
-- counted by the connection over which they went.
CREATE TABLE invocation_references (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    reference {text} NOT NULL,
    connection {text},
    PRIMARY KEY (workspace, id, reference)
) {clustered};
CREATE INDEX invocation_references_reference ON invocation_references (workspace, reference);
CREATE INDEX invocation_references_connection ON invocation_references (workspace, connection, id) WHERE connection IS NOT NULL;

-- What became of each part of what invocations had sent: a recipient. ``part`` is its keyed digest; ``sealed`` has its name and what became
-- of it. An event may come before the invocation has ended, and for what was not sent from here. ``blocks``: why nothing more is sent to its
-- recipient, 1 for a bounce, 2 for a complaint.
CREATE TABLE outcomes (
    workspace {text} NOT NULL,
    reference {text} NOT NULL,
    part {text} NOT NULL,
    severity {integer} NOT NULL,
    at {double} NOT NULL,
    sealed {blob} NOT NULL,
    blocks {boolean} NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, reference, part)
) {clustered};
CREATE INDEX outcomes_at ON outcomes (workspace, at);
CREATE INDEX outcomes_suppressing ON outcomes (workspace, part) WHERE blocks > 0;
CREATE INDEX outcomes_suppressing_at ON outcomes (workspace, at, reference) WHERE blocks > 0;
