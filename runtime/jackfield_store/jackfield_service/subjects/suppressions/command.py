"""Command ``jackfield suppressions``: recipients who get no more messages."""

from __future__ import annotations

from jackfield.cli.session import in_workspace
from jackfield_service.shell.resource.verbs import verbs
from jackfield_service.subjects.suppressions.subject import SUPPRESSIONS

VERBS = in_workspace(verbs(SUPPRESSIONS))
