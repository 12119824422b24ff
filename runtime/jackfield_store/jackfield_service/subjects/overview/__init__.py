"""Overview of a workspace: figures of its calls, and objects that need attention."""
