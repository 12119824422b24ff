"""Overview of a workspace: figures of its calls, and what needs attention."""
