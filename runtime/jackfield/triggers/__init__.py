"""Triggers: what happens at providers becomes events, by webhooks that they send and by polls.

``table`` stores the subscriptions of one workspace, ``due`` has the transactions by which the processes of a database share the work on
them, ``arrivals`` stores events: with the keys by which one that comes again is recognised, and with the checkpoint of the poll that found
them, in one commit. So a crash loses no event and tells none twice, and an author's code stores nothing.
"""
