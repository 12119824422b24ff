"""Calls that wait for a person's approval: listed, displayed with their request, approved and
declined.
"""
