"""Commands of the server: each module has ``VERBS``, like the modules of ``jackfield.cli``."""
