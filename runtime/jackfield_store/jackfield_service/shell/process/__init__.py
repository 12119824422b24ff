"""One server process: its context, settings, sockets and metrics, its condition and its end."""
