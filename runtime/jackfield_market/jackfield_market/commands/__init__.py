"""Commands that make, check, publish and install connectors: a module for each noun, with a table
of verbs for each command.
"""
