"""``jackfield demo``: a guided tour of the connector on an embedded AWS, without an account or a network.

``aws`` models the account, ``embedded`` serves one; ``tour`` runs the ``steps`` and checks each; ``show`` prints.
"""
