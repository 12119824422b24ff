-- What every process needs, whatever is installed. This file is the first: triggers of others call its function.
-- Every table but a few of this file begins its key with the workspace: no row is found without. Times are seconds since 1970, UTC. What
-- is called sealed is AES-256-GCM by the workspace's data key; a seal proves that nobody changed a row in the database.

-- The epoch: a number that moves with each change of what decides calls, in the change's own transaction, whoever makes it. Columns that
-- calls themselves write (the last use of a token, the status of a connection) do not move it.
CREATE TABLE epoch (
    name {text} NOT NULL PRIMARY KEY,
    number {bigint} NOT NULL
) {table};
INSERT INTO epoch (name, number) VALUES ('shared', 1);
-- postgresql:
CREATE FUNCTION epoch_raised() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
UPDATE epoch SET number = number + 1;
RETURN NULL;
END
$$;

-- The time that all processes judge by. PostgreSQL has a clock of its own, and no row here. ``leap`` has the seconds by which the processes
-- of a SQLite database have set their time ahead of what the monotonic clock has shown since the boot.
CREATE TABLE clock (
    name {text} NOT NULL PRIMARY KEY,
    seconds {double} NOT NULL,
    monotonic {double} NOT NULL,
    boot {text} NOT NULL,
    proposed {double},
    proposed_by {text},
    proposed_at {double} NOT NULL,
    proposed_boot {text} NOT NULL,
    leap {double} NOT NULL DEFAULT 0
) {table};

-- An instance is a process that claims and runs invocations; ``seen_at`` renews its lease. ``place`` (boot, PID namespace), ``pid`` and
-- ``born`` (clock ticks since boot) let a process of the same place find out at once that it has ended. ``slots``: how many queued
-- invocations it runs at once; the dispatcher releases no more than all of them can begin soon. ``doubted_at``: when a process that judges
-- by the database's clock first found the lease expired; the next renewal erases that. ``settings``: what it has instead of the shared ones.
CREATE TABLE instances (
    id {text} NOT NULL PRIMARY KEY,
    host {text} NOT NULL,
    pid {bigint} NOT NULL,
    started_at {double} NOT NULL,
    seen_at {double} NOT NULL,
    place {text},
    born {bigint},
    slots {integer} NOT NULL DEFAULT 0,
    doubted_at {double},
    settings {text}
) {table};

-- One process at a time hands queued invocations to a broker. Its lease is by the database's clock.
CREATE TABLE dispatchers (
    name {text} NOT NULL PRIMARY KEY,
    holder {text} NOT NULL,
    held_until {double} NOT NULL
) {table};

-- Workspaces whose rows some process cannot serve at present: why, since when, and when it tries again, in
-- seconds since 1970. It is for people: no process decides by it.
CREATE TABLE blocked_workspaces (
    workspace {text} NOT NULL PRIMARY KEY,
    code {text} NOT NULL,
    reason {text} NOT NULL,
    since {double} NOT NULL,
    until {double} NOT NULL
) {table};

-- What all processes on a database share, unless a variable of a process says something else.
CREATE TABLE settings (
    name {text} NOT NULL PRIMARY KEY,
    value {text} NOT NULL,
    changed_at {double} NOT NULL,
    seal {blob} NOT NULL
) {table};
