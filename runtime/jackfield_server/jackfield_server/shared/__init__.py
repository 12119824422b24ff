"""Shared parts of the surfaces: problem documents, bodies, files, identity, and the context of one server process."""

from __future__ import annotations

from jackfield.kernel.hints import add_surface
from jackfield_server.shared.requests.hints import worded

add_surface("http", worded)
