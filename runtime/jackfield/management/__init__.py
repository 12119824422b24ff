"""Connections as people manage them: drafts, tests, policies, import and export, views."""
