"""The queue of a workspace: its figures, and what was given up and can be queued again."""
