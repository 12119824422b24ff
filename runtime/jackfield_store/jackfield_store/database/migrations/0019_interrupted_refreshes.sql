-- When a refresh with a grant's tokens was begun, until its outcome is known: a process that ends in between may have used them up.
ALTER TABLE grants ADD COLUMN refresh_begun_at {double};
