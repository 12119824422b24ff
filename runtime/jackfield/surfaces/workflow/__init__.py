"""Thand's workflow files, in both of their forms: a list of steps, and the DSL with ``do``. Mail is all that they do here."""

from jackfield.surfaces.workflow.documents import Workflow, find_workflow, read_workflows
from jackfield.surfaces.workflow.running import Outcome, Run, prepare

__all__ = ["Outcome", "Run", "Workflow", "find_workflow", "prepare", "read_workflows"]
