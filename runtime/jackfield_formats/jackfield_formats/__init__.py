"""Connections from other systems' files: one thin reader for each format. ``declared`` has the
objects that the entry points name.

To add a format, here or in a package of your own:

- Write a module with ``FORMAT``, the format's name, and ``read(documents, around)``. It may open a
  file that a document names only if ``around.reads_files``: over HTTP that is false, since a
  document must not read the server's files.
- Declare a ``Format`` (``jackfield.connections.formats``) with the test of its content, and an
  entry point of that name in the group ``jackfield.connection_formats``. If its files have suffixes
  of their own, name them in ``connections/files`` (``_SUFFIXES``).
- Refuse unknown members, or warn of them: none may be lost silently.
- Give each connector that the format can name its aliases (in the connector's ``aliases.py``;
  ``make generate`` renews its connector.json). Describe the format in docs/compatibility.md.
  ``tests/jackfield_formats`` has files of each;
  its ``test_compat_files.py`` lists the formats.
"""
