"""One server process: its context, settings, sockets and metrics, its health and its shutdown."""
