"""The audit log, as commands show it."""
