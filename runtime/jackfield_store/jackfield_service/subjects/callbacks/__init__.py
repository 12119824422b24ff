"""Callbacks: events are delivered to URLs of a workspace or a platform, signed, in order of their
numbers, and retried.

``callbacks`` stores them, ``dispatcher`` is the loop of a process, ``sending`` makes one request;
``deliveries`` are waiting, failed and recent deliveries, with their outcomes.
"""
