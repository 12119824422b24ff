"""Connections of a workspace: listed, made, tested, authorized at providers, renamed and
removed.
"""
