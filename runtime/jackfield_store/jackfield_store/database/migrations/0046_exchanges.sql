-- What calls that failed, are in doubt or were traced had exchanged with their providers (jackfield.journal.exchanges): masked, then
-- sealed. A row lives as long as its invocation.
CREATE TABLE invocation_exchanges (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    sealed {blob} NOT NULL,
    PRIMARY KEY (workspace, id)
) {clustered};
