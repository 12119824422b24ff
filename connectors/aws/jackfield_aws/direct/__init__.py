"""AWS calls without botocore's client, whose models, serializers, endpoint rules and parsers cost five times as much as the request itself;
with our own signature and wire.

Connectors use ``client``, and ``switch`` turns the package off (``JACKFIELD_AWS_DIRECT=0``). ``qualify`` decides which operations use it.
``calls`` is a call from its inputs to its outcome: ``requests`` builds, ``signing`` signs, ``wires`` chooses the route to a server,
``answers`` reads the response. ``parts`` are taken from a botocore client. The bytes leave in ``jackfield.wire``, which knows what has been
sent; ``jackfield_aws.transport`` interprets that. ``light`` makes the parts without such a client, if ``plain.json`` says that none is
needed; ``make awsindex`` makes that file for one release of botocore.
"""
