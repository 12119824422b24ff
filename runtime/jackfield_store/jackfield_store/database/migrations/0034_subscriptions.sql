-- Triggers (jackfield.triggers). A subscription is one trigger, switched on for one connection. ``sealed`` has its inputs, its path's token
-- and secret, what the provider returned, and the caller whose rights it has; ``mark`` how far a poll has come. ``wake_at`` is when a
-- process looks at it next: to enable or disable it at the provider, or to poll; NULL while there is nothing to do. ``claim`` counts those
-- that took it, and its changes by people, so that one that was overtaken stores neither events nor a mark.
CREATE TABLE subscriptions (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    name {text} NOT NULL,
    connector {text} NOT NULL,
    trigger_key {text} NOT NULL,
    connection {text},
    kind {text} NOT NULL,
    status {text} NOT NULL,
    reason {text},
    every {double},
    path_digest {text},
    sealed {blob} NOT NULL,
    mark {blob},
    version {integer} NOT NULL,
    claim {integer} NOT NULL,
    failures {integer} NOT NULL,
    wake_at {double},
    last_success_at {double},
    last_event_at {double},
    caller {text},
    token {text},
    created_at {double} NOT NULL,
    changed_at {double} NOT NULL,
    PRIMARY KEY (workspace, id)
) {table};
CREATE UNIQUE INDEX subscriptions_name ON subscriptions (workspace, name);
CREATE UNIQUE INDEX subscriptions_path ON subscriptions (path_digest) WHERE path_digest IS NOT NULL;
CREATE INDEX subscriptions_wake ON subscriptions (wake_at) WHERE wake_at IS NOT NULL;
-- Keys of the events that were received, so that one that comes again is not told again.
CREATE TABLE event_keys (
    workspace {text} NOT NULL,
    subscription_id {text} NOT NULL,
    digest {text} NOT NULL,
    at {double} NOT NULL,
    PRIMARY KEY (workspace, subscription_id, digest)
) {clustered};
CREATE INDEX event_keys_at ON event_keys (workspace, at);
-- What a provider has sent is sealed before it is stored, under the ID that the event will have.
ALTER TABLE outbox ADD COLUMN event_id {text};
ALTER TABLE outbox ADD COLUMN sealed {blob};
