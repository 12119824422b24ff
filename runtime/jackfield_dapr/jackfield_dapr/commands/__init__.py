"""Commands that serve Dapr's bindings and run workflow files: each module has ``VERBS``, like the
modules of ``jackfield.cli``.
"""
