"""State of workspaces as files say it: planned, applied in one transaction for each workspace, and exported."""
