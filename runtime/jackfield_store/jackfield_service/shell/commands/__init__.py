"""Commands of the server: each module has ``VERBS``, as those of ``jackfield.cli``."""
