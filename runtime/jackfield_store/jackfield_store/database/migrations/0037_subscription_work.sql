-- ``held`` is 1 while a process works on a subscription, and 2 once a webhook has asked for another poll meanwhile. ``renew_at`` is when the
-- registration at the provider is renewed, ``account`` the account that the connection belonged to when its checkpoint began.
ALTER TABLE subscriptions ADD COLUMN held {integer} NOT NULL DEFAULT 0;
ALTER TABLE subscriptions ADD COLUMN renew_at {double};
ALTER TABLE subscriptions ADD COLUMN account {text};
UPDATE subscriptions SET status = 'paused' WHERE status = 'disabled';
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
