"""Installed connectors, their actions, triggers and connection types; and the connectors of
catalogues, for installation.
"""
