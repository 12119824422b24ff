"""Rules of a workspace: the calls that are allowed, blocked, or wait for a person, and the rule
that decides.
"""
