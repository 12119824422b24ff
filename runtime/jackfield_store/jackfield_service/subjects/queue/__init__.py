"""The queue of a workspace: its figures, and dead letters, which can be queued again."""
