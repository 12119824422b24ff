"""``jackfield demo``: a guided tour of the connector on an AWS that runs inside this process, without an account or a network.

``embedded`` is that AWS, on its own of use to tests; ``tour`` walks through the ``steps`` and judges each; ``show`` prints.
Only ``embedded``, ``holes`` and ``front`` know moto, which the extra ``jackfield-aws-ses[demo]`` installs.
"""
