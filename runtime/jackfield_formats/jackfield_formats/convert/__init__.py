"""``jackfield convert``: requests of other mail providers as invocations of ``sendEmail``, SMTP
settings as a connection.

One module reads each format. ``mail`` builds the invocation of one message, ``trial`` tests it with
the connector, ``documents`` reads files, ``command`` is the command line.
"""

__all__: list[str] = []
