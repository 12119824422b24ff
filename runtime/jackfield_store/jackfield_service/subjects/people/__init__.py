"""People who sign in, their workspaces, and the sign-in pages."""
