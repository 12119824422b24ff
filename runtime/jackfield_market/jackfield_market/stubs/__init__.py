"""Typed callers from manifests: ``schemas`` reads JSON Schema as types; ``python`` and ``typescript`` write them with a function for each
action."""
