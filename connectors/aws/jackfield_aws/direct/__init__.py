"""AWS calls without botocore's client, with jackfield's own signature and wire. The client's
models, serializers, endpoint rules and parsers cost five times as much as the request itself.

Connectors use ``client``, and ``switch`` turns the package off (``JACKFIELD_AWS_DIRECT=0``).
``qualify`` decides which operations use it. ``calls`` makes a call: ``requests`` builds,
``signing`` signs, ``wires`` chooses the route to a server, ``answers`` reads the response.
``parts`` are taken from a botocore client. Bytes leave in ``jackfield.wire``, which records how
much was sent; ``jackfield_aws.transport`` interprets that. ``light`` makes the parts without a
botocore client for operations in ``plain.json``; ``make awsindex`` makes that file for one release
of botocore.
"""
