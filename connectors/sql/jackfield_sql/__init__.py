"""Library of the connectors for SQL databases: bounded rows, statements, inserts and descriptions
of tables.
"""
