"""``jackfield demo``: a guided tour of the connector on an AWS that runs inside this process, without an account or a network.

``aws`` models the account, ``embedded`` serves one; ``tour`` walks through the ``steps`` and judges each; ``show`` prints.
"""
