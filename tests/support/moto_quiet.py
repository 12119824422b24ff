"""moto without its listener, which it adds to all botocore clients of a process that imports it, mocked or not: their calls would never go
out directly, as those of a user do. ``moto.core.patch_client`` adds it to one client. And with one RSA key for all keys of KMS: to make one
takes 0.1 s, and a key that encrypts has no use for it."""

from __future__ import annotations

from functools import cache

from botocore.handlers import BUILTIN_HANDLERS
from moto.core.models import botocore_stubber
from moto.kms import models


def quiet() -> None:
    """Remove the listener, and keep the keys. Call it right after moto is imported."""
    BUILTIN_HANDLERS[:] = [entry for entry in BUILTIN_HANDLERS if entry[1] is not botocore_stubber]
    if not hasattr(models.generate_private_key, "cache_info"):
        models.generate_private_key = cache(models.generate_private_key)
