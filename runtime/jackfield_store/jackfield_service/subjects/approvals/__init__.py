"""Calls that wait for a person's approval: listed, shown with their request, approved and declined."""
