"""Redaction: no secret leaves the process in a text, in whatever encoding.

::

    schema + values ─┬─► secret_values, confidential_values ─► Redactor ─┬─► clean, clean_json
                     └─► masked (a copy for display)                   └─► put_in_force
                                                                            └─► LogRedaction

``Redactor`` masks by value, ``masked`` by the schema's marks.
"""
