"""Triggers: events at providers become our events, by webhooks that they send and by polls.

``table`` stores the subscriptions of one workspace. ``due`` has the transactions by which the processes of a database share the work on
them. ``intake`` receives the requests of webhooks. ``arrivals`` stores events in one commit, with the keys by which a repeated one is
recognised, and with the checkpoint of the poll that found them. So a crash neither loses an event nor reports one twice, and an author's
code stores nothing.
"""
