"""Events of Amazon SES: what became of messages, what arrives, and how identities and the account are.

``record`` reads a record of SES into events, ``receipts`` one of mail that arrives; ``envelopes`` unwraps those of SNS and EventBridge.
``setting_up`` makes what SES needs to publish, and ``topics`` has what webhooks over SNS share. ``watching`` declares the triggers of
messages that are sent, ``receiving`` that of mail that arrives, ``states`` those of identities and the account.
"""
