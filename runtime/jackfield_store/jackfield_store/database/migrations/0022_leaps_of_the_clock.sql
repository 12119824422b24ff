-- Seconds by which the processes of a SQLite database have set their time ahead of what the monotonic clock has shown since the boot.
ALTER TABLE clock ADD COLUMN leap {double} NOT NULL DEFAULT 0;
