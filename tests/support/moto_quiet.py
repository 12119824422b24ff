"""moto without its listener, which it adds to all botocore clients of a process that imports it, mocked or not: their calls would never go
out directly, as those of a user do. ``moto.core.patch_client`` adds it to one client."""

from __future__ import annotations

from botocore.handlers import BUILTIN_HANDLERS
from moto.core.models import botocore_stubber


def quiet() -> None:
    """Remove the listener. Call it right after moto is imported."""
    BUILTIN_HANDLERS[:] = [entry for entry in BUILTIN_HANDLERS if entry[1] is not botocore_stubber]
