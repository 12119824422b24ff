-- Readings of a provider's own log of requests, as evidence of doubts (jackfield_store.journal.record_reads). One reading serves all doubts with
-- the same ``digest``: of a connection, an operation, a region and a time. It began at ``began_at`` and goes on at ``page``; ``complete_at`` is
-- when the last whole one had begun, ``refused`` the code of an error that others would meet, too. Nothing of it is secret, and whoever changes
-- it only keeps doubts open. record_paces says when the next page may be read of the log of one account and region, for all workspaces.
CREATE TABLE record_reads (
    workspace {text} NOT NULL,
    digest {text} NOT NULL,
    page {text},
    began_at {double},
    changed_at {double} NOT NULL,
    complete_at {double},
    refused {text},
    PRIMARY KEY (workspace, digest)
) {table};
CREATE TABLE record_paces (
    place {text} NOT NULL,
    next_at {double} NOT NULL,
    PRIMARY KEY (place)
) {table};
