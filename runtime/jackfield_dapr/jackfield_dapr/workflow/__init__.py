"""Thand's workflow files in both of their forms: a list of steps, and the DSL with ``do``. Only
notifications by mail are supported.
"""

from jackfield_dapr.workflow.documents import Workflow, find_workflow, read_workflows
from jackfield_dapr.workflow.running import Outcome, Run, prepare

__all__ = ["Outcome", "Run", "Workflow", "find_workflow", "prepare", "read_workflows"]
