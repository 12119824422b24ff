"""People who sign in, their workspaces, and the pages on which they do."""
