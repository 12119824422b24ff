"""Model of an AWS account with Amazon SES and STS: identities, roles, users, quota and sent mail, and the answers AWS gives about them.

``account`` is what the owner sets up, ``ledger`` what happened since, ``endpoint`` turns one HTTP request into one answer. Nothing here
opens a socket: the demo serves it (``server``), and the tests of this repository serve it with scripted faults. Standard library only.
"""
