"""Commands on triggers and subscriptions."""
