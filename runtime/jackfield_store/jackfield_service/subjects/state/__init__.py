"""State of workspaces in files: planned, applied in one transaction for each workspace, and
exported.
"""
