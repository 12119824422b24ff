"""Management of connections for people: drafts, tests, policies, import and export, views."""
