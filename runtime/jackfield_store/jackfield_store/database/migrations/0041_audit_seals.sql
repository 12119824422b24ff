-- Proves the head of an audit log (jackfield.access.audit_seals). Heads of before are sealed in the same transaction.
ALTER TABLE audit_heads ADD COLUMN seal {blob};
