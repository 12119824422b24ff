"""Commands of the platform: each module has ``VERBS``, as those of ``jackfield.cli``."""
