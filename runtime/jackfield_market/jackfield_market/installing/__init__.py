"""Installation of connectors: sources, what the operator's policy allows, environments, receipts, upgrades."""
