"""Model of an AWS account with Amazon SES and STS: identities, roles, users, quota, sent mail, and AWS's answers.

``account`` is the owner's setup, ``ledger`` the history since. ``server`` answers calls and is the only module that opens a socket: the
demo serves the model with it, this repository's tests serve the model with scripted faults. Standard library only.
"""
