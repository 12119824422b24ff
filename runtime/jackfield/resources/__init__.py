"""What one process works with, whatever it runs: database and vault, threads, memory."""
