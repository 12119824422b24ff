"""Commands that serve Dapr's bindings and run workflow files: each module has ``VERBS``, as those of ``jackfield.cli``."""
