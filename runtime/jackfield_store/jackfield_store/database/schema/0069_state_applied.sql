-- What ``jackfield apply`` has made in a workspace, or was told to take over: the label of the files that state it
--.
CREATE TABLE applied (
    workspace {text} NOT NULL,
    kind {text} NOT NULL,
    name {text} NOT NULL,
    label {text} NOT NULL,
    PRIMARY KEY (workspace, kind, name)
) {clustered};
