"""Commands about stored data: each module has ``VERBS``, like the modules of ``jackfield.cli``."""
