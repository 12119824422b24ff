"""From an invocation to a Result, one file a stage: admit, check, open, run, settle; ``executor`` runs them in order."""

from jackfield.pipe.executor import Jackfield

__all__ = ["Jackfield"]
