"""The audit log for commands."""
