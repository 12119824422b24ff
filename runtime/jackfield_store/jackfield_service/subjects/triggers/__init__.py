"""Triggers: events at providers become our events, by webhooks that the providers send and by
polls.

``table`` stores the subscriptions of one workspace. ``due`` has the transactions by which the
processes of a database share the work on subscriptions. ``intake`` receives the requests of
webhooks. ``arrivals`` stores events in one commit, with the keys by which a repeated event is
recognised, and with the checkpoint of their poll. So a crash neither loses an event nor reports one
twice, and an author's code stores nothing.
"""
