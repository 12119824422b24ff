"""``jackfield convert``: requests of other mail providers as invocations of ``sendEmail``, SMTP settings as a connection.

One module reads each format; ``mail`` builds the invocation of one message, ``trial`` asks the connector for refusals, ``documents`` reads
files, ``command`` is the command line.
"""

__all__: list[str] = []
