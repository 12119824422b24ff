"""Commands that make, check, publish and install connectors: each module has ``VERBS``, as those of ``jackfield.cli``."""
