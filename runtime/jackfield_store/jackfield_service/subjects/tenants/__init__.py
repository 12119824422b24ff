"""Tenants of a platform: its workspaces, their usage and their end. A platform reads no secret, no
input and no output.
"""

from __future__ import annotations

from jackfield_service.subjects.tenants.tenants import Tenants
from jackfield_service.subjects.tenants.usage import in_use, usage

__all__ = ["Tenants", "in_use", "usage"]
