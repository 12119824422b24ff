"""Events of Amazon SES: what became of messages.

``record`` reads a record of SES into events, ``envelopes`` unwraps those of SNS and EventBridge, ``setting_up`` makes what SES needs to
publish, ``watching`` declares the triggers of messages, ``states`` those of identities and the account.
"""
