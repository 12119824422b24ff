-- Facts about the key of a call whose provider recognises repeats by it (``KeyFacts``), NULL for other calls; and by whom a doubt was asked
-- again, as JSON.
ALTER TABLE invocations ADD COLUMN key_facts {text};
ALTER TABLE invocations ADD COLUMN asked {text};
