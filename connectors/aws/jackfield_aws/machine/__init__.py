"""The machine's own AWS identity, fetched before an action within its deadline."""
