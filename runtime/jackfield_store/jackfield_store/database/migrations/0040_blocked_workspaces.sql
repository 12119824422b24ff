-- Workspaces whose rows some process cannot serve at present (jackfield.database.blocked): why, since when, and when it tries again, in
-- seconds since 1970. It is for people: no process decides by it.
CREATE TABLE blocked_workspaces (
    workspace {text} NOT NULL PRIMARY KEY,
    code {text} NOT NULL,
    reason {text} NOT NULL,
    since {double} NOT NULL,
    until {double} NOT NULL
) {table};
