"""``jackfield demo``: a guided tour of the connector on a local AWS simulator, without an account
or a network.

``aws`` models the account, ``embedded`` serves one; ``steps`` is the tour; ``show`` prints.
"""
