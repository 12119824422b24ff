-- The time that all processes judge by (jackfield.database.shared_clock). PostgreSQL has a clock of its own, and no row here.
CREATE TABLE clock (
    name {text} NOT NULL PRIMARY KEY,
    seconds {double} NOT NULL,
    monotonic {double} NOT NULL,
    boot {text} NOT NULL,
    proposed {double},
    proposed_by {text},
    proposed_at {double} NOT NULL,
    proposed_boot {text} NOT NULL
) {table};
-- When a process that judges by the database's clock first found this instance's lease expired; its next renewal erases that.
ALTER TABLE instances ADD COLUMN doubted_at {double};
