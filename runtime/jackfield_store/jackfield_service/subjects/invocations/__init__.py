"""Invocations: run or queued, listed, shown with their exchanges, cancelled."""
