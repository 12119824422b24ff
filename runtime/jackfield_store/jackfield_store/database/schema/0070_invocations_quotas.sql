-- What is spent of each quota, in a span of time and for each caller, recipient or value that it tells apart: in millionths.
-- ``bucket`` is a keyed digest of all of these, ``quota`` one of the quota alone.
CREATE TABLE quota_counts (
    workspace {text} NOT NULL,
    bucket {text} NOT NULL,
    quota {text} NOT NULL,
    spent {bigint} NOT NULL,
    ends_at {double} NOT NULL,
    PRIMARY KEY (workspace, bucket)
) {clustered};
CREATE INDEX quota_counts_ended ON quota_counts (workspace, ends_at);

-- What each call has taken of them. ``owner`` is the process that has counted it and not begun it yet; NULL once it has begun.
-- ``mark`` tells the runs of one call apart.
CREATE TABLE quota_places (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    bucket {text} NOT NULL,
    mark {text} NOT NULL,
    amount {bigint} NOT NULL,
    owner {text},
    ends_at {double} NOT NULL,
    PRIMARY KEY (workspace, id, bucket)
) {clustered};
CREATE INDEX quota_places_ended ON quota_places (workspace, ends_at);
CREATE INDEX quota_places_owner ON quota_places (owner) WHERE owner IS NOT NULL;
