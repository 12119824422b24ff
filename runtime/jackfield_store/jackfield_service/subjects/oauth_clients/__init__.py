"""OAuth clients that connections refer to: registered once for a workspace or a server."""
