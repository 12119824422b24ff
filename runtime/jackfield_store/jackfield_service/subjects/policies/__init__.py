"""Rules of a workspace: which calls are allowed, blocked, or wait for a person, and which rule decides."""
