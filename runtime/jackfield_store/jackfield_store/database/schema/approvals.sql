-- Calls that wait until a person approves them. The call itself is a row of invocations that is queued and never due: ``available_at`` is
-- NULL until it is approved, and ``not_after`` is when the approval expires. A row lives as long as its invocation. ``seal`` binds a decision
-- to the digest of what was shown; ``about`` is that, sealed: whoever writes to the database can change the columns of a row and of its call.
CREATE TABLE approvals (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    status {text} NOT NULL CHECK (status IN ('waiting', 'approved', 'declined', 'expired', 'cancelled')),
    rule {text} NOT NULL,
    requested_by {text} NOT NULL,
    requested_at {double} NOT NULL,
    expires_at {double} NOT NULL,
    twin {text},
    decided_by {text},
    decided_at {double},
    why {text},
    seal {blob},
    about {blob},
    PRIMARY KEY (workspace, id)
) {table};
CREATE INDEX approvals_listed ON approvals (workspace, requested_at, id);
CREATE INDEX approvals_waiting ON approvals (workspace, requested_at, id) WHERE status = 'waiting';
CREATE UNIQUE INDEX approvals_twins ON approvals (workspace, twin) WHERE status = 'waiting' AND twin IS NOT NULL;
