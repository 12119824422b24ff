"""Resources of one process, for every surface: database and vault, threads, memory."""
