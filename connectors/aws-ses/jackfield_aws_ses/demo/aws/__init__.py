"""Model of an AWS account with Amazon SES and STS: identities, roles, users, quota, sent mail, and AWS's answers.

``account`` is the owner's setup, ``ledger`` the history since, ``endpoint`` turns one HTTP request into one answer. Nothing here opens a
socket: the demo serves it (``server``), and this repository's tests serve it with scripted faults. Standard library only.
"""
