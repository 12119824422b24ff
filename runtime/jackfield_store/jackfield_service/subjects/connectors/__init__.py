"""Installed connectors, their actions, triggers and connection types; and those of catalogues, to be installed."""
