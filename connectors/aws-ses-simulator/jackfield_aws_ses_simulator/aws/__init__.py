"""Model of an AWS account with Amazon SES and STS: identities, roles, users, quota, templates,
contacts, sent mail, and AWS's answers.

``account`` is the owner's setup, ``ledger`` the history since, with the resources that calls made.
``answers`` answers calls, by the operations in ``ses`` and ``sts``. ``server`` is the only module
that opens a socket: the demo serves the model with it, this repository's tests serve the model with
scripted faults. Botocore's model of the service (``model``) names operations and checks their
parameters.
"""
