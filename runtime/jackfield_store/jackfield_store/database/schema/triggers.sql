-- A subscription is one trigger, switched on for one connection. ``sealed`` has its inputs, its path's token and secret, what the provider
-- returned, and the caller whose rights it has; ``mark`` how far a poll has come. ``wake_at`` is when a process looks at it next: to enable
-- or disable it at the provider, or to poll; NULL while there is nothing to do. ``claim`` counts those that took it, and its changes by
-- people, so that one that was overtaken stores neither events nor a mark. ``held`` is 1 while a process works on it, and 2 once a webhook
-- has asked for another poll meanwhile. ``renew_at`` is when the registration at the provider is renewed, ``account`` the account of the
-- connection when its checkpoint began. ``lost`` is the name of a removed connection that it works over, or that its events start
-- invocations over; NULL once it is resumed or starts others.
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
    held {integer} NOT NULL DEFAULT 0,
    renew_at {double},
    account {text},
    lost {text},
    PRIMARY KEY (workspace, id)
) {table};
CREATE UNIQUE INDEX subscriptions_name ON subscriptions (workspace, name);
CREATE UNIQUE INDEX subscriptions_path ON subscriptions (path_digest) WHERE path_digest IS NOT NULL;
CREATE INDEX subscriptions_wake ON subscriptions (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX subscriptions_lost ON subscriptions (workspace, lost) WHERE lost IS NOT NULL;
CREATE INDEX subscriptions_failing ON subscriptions (workspace) WHERE status = 'failing';

-- Keys of the events that were received, so that one that comes again is not told again.
CREATE TABLE event_keys (
    workspace {text} NOT NULL,
    subscription_id {text} NOT NULL,
    digest {text} NOT NULL,
    at {double} NOT NULL,
    PRIMARY KEY (workspace, subscription_id, digest)
) {clustered};
CREATE INDEX event_keys_at ON event_keys (workspace, at);

-- What a list has that is compared (diff polls): a digest of each item's ID and of its content, the round in which it was seen last, and
-- the ID itself, sealed, since the event of its deletion names it.
CREATE TABLE subscription_items (
    workspace {text} NOT NULL,
    subscription_id {text} NOT NULL,
    item {text} NOT NULL,
    content {text} NOT NULL,
    round {integer} NOT NULL,
    sealed {blob} NOT NULL,
    PRIMARY KEY (workspace, subscription_id, item)
) {clustered};
CREATE INDEX subscription_items_round ON subscription_items (workspace, subscription_id, round);
