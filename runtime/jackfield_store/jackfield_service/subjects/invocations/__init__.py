"""Invocations: run or queued, listed, displayed with their exchanges, cancelled."""
