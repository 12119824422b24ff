"""Command line: one module per command, JSON on stdout, everything else on stderr
(docs/reference/cli.md).
"""
