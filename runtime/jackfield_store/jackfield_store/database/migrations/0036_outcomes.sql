-- What became of what invocations had sent (jackfield.journal.outcomes). ``reference`` is the digest of an ID with which the provider had
-- answered; an event that names it belongs to the invocation.
CREATE TABLE invocation_references (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    reference {text} NOT NULL,
    PRIMARY KEY (workspace, id, reference)
) {clustered};
CREATE INDEX invocation_references_reference ON invocation_references (workspace, reference);
-- One row for each part of what was sent: a recipient. ``part`` is its keyed digest; ``sealed`` has its name and what became of it. An event
-- may come before the invocation has ended, and for what was not sent from here.
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
CREATE INDEX outcomes_blocked ON outcomes (workspace, part) WHERE blocks = 1;
