"""Events of Amazon SES: outcomes of messages, incoming mail, and states of identities and the
account.

``record`` reads a record of SES into events, ``receipts`` a record of incoming mail; ``envelopes``
unwraps messages of SNS and EventBridge. ``setting_up`` creates the resources that SES needs to
publish, and ``topics`` has the common part of webhooks over SNS. ``watching`` declares the triggers
about sent messages, ``receiving`` the trigger about incoming mail, ``states`` the triggers about
identities and the account.
"""
