"""AWS calls without botocore's client, which costs five times what the request itself does: its models, serializers, endpoint rules and
parsers, our signature and our wire.

``client`` is what connectors use, and ``switch`` turns it off (``JACKFIELD_AWS_DIRECT=0``). ``qualify`` says which operations go this way.
``calls`` is a call from its inputs to its outcome: ``requests`` builds, ``signing`` signs, ``wires`` chooses how a server is reached,
``answers`` reads the response. ``parts`` are what all of them take from a botocore client. The bytes leave in ``jackfield.wire``, which
knows what has been sent; ``jackfield_aws.transport`` says what that means. ``light`` makes the parts without such a client, where
``plain.json`` says that none is needed; ``make awsindex`` makes that for one release of botocore.
"""
