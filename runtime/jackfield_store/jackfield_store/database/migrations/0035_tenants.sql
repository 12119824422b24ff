-- Tenants at work (jackfield.tenants, jackfield.events). ``event_counts`` has the events that were numbered and the deliveries that were
-- taken, by the UTC day of each; it outlasts both.
CREATE TABLE event_counts (
    workspace {text} NOT NULL,
    day {bigint} NOT NULL,
    events {bigint} NOT NULL,
    deliveries {bigint} NOT NULL,
    PRIMARY KEY (workspace, day)
) {clustered};
INSERT INTO event_counts (workspace, day, events, deliveries)
SELECT workspace, day, SUM(events), SUM(deliveries) FROM (
    SELECT workspace, CAST({floor}(at / 86400) AS BIGINT) * 86400 AS day, COUNT(*) AS events, 0 AS deliveries
    FROM events WHERE at BETWEEN 0 AND 1e11 GROUP BY 1, 2
    UNION ALL
    SELECT workspace, CAST({floor}(ended_at / 86400) AS BIGINT) * 86400, 0, COUNT(*)
    FROM deliveries WHERE state = 'delivered' AND ended_at BETWEEN 0 AND 1e11 GROUP BY 1, 2
) each_one GROUP BY workspace, day;
CREATE INDEX connect_sessions_last ON connect_sessions (workspace, expires_at, id);

-- Approvals of removed connections that the provider has not been told of yet. ``sealed`` has the connection and its tokens; ``claim`` counts
-- the processes that have taken it.
CREATE TABLE revocations (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    sealed {blob} NOT NULL,
    claim {integer} NOT NULL,
    wake_at {double} NOT NULL,
    created_at {double} NOT NULL,
    PRIMARY KEY (workspace, id)
) {table};
CREATE INDEX revocations_wake ON revocations (wake_at);
