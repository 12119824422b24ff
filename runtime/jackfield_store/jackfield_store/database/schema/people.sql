-- Sessions of the console, and links that begin one; only a digest is stored.
CREATE TABLE console_sessions (
    workspace {text} NOT NULL,
    digest {text} NOT NULL,
    kind {text} NOT NULL CHECK (kind IN ('link', 'session')),
    identity {text} NOT NULL,
    created_at {double} NOT NULL,
    seen_at {double} NOT NULL,
    expires_at {double} NOT NULL,
    seal {blob},
    PRIMARY KEY (workspace, digest)
) {table};

-- People who signed in to the console at the operator's identity provider, invitations to a role, and answers of the provider that were used
-- Everything that decides is in ``sealed``; ``person`` and ``session`` are digests by which a logout of the
-- provider finds its rows, and ``turn`` is until when one process renews a sign-in.
CREATE TABLE sign_ins (
    id {text} NOT NULL PRIMARY KEY,
    kind {text} NOT NULL CHECK (kind IN ('person', 'invitation', 'answer')),
    person {text},
    session {text},
    sealed {blob} NOT NULL,
    turn {double} NOT NULL,
    expires_at {double} NOT NULL
) {table};
CREATE INDEX sign_ins_person ON sign_ins (person);
CREATE INDEX sign_ins_session ON sign_ins (session);
CREATE INDEX sign_ins_expiry ON sign_ins (expires_at);
