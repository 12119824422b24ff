"""Typed callers from manifests: ``schemas`` converts JSON Schema to types; ``python`` and
``typescript`` write the types and a function for each action.
"""
