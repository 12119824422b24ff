"""Command line: one module per command, JSON on stdout, everything else on stderr (contract §6)."""
