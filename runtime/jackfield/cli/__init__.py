"""The pipe from a shell: one module per noun, JSON on stdout, everything else on stderr (contract §6)."""
