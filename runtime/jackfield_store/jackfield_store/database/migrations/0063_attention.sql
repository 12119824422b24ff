-- What needs a person's attention is counted by small indexes (jackfield_service.subjects.tenants.health). ``lost`` is the name of a connection that a
-- subscription works over, or that its events start invocations over, and that was removed; NULL once it is resumed or starts others.
ALTER TABLE subscriptions ADD COLUMN lost {text};
CREATE INDEX subscriptions_lost ON subscriptions (workspace, lost) WHERE lost IS NOT NULL;
CREATE INDEX subscriptions_failing ON subscriptions (workspace) WHERE status = 'failing';
CREATE INDEX schedules_stopped ON schedules (workspace) WHERE status = 'stopped';
CREATE INDEX callbacks_failing ON callbacks (workspace) WHERE failing_since IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (workspace, callback) WHERE state = 'dead';
