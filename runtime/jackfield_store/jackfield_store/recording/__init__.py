"""Calls on their way into the journal and back: the record of each call, the queue's intake, jobs
from start to end, guards.
"""
