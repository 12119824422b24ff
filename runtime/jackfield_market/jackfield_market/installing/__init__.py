"""Installation of connectors: sources, the operator's policy, environments, receipts, upgrades."""
