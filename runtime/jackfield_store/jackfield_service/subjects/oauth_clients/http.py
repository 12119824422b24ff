"""Operations ``/v1/oauth-clients``: clients of authorization servers."""

from __future__ import annotations

from jackfield_service.shell.http.resources import operations
from jackfield_service.subjects.oauth_clients.subject import OAUTH_CLIENTS

OPERATIONS = operations(OAUTH_CLIENTS)
