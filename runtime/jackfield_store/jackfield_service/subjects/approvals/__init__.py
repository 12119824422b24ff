"""Calls that wait until a person approves them: listed, shown with what would be sent, approved and declined."""
