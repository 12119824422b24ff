"""Commands about what is stored: each module has ``VERBS``, as those of ``jackfield.cli``."""
