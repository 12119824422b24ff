"""moto without its listener, which it adds to all botocore clients of a process that imports it,
mocked or not: their calls would never go out directly, as those of a user do.
``moto.core.patch_client`` adds it to one client. And with one RSA key for all keys of KMS: to make
one takes 0.1 s, and a key that encrypts has no use for it. And with models of its own: it adds
error codes to those that it reads, which tests share (``ready_catalog``), and boto3 would then
raise other exceptions.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.handlers import BUILTIN_HANDLERS
from botocore.loaders import JSONFileLoader
from moto.core.loaders import Loader
from moto.core.models import botocore_stubber
from moto.kms import models


class _Own(JSONFileLoader):  # type: ignore[misc]  # botocore has no types
    def load_file(self, path: str) -> Any:
        """Read a file that nobody else has read."""
        read = JSONFileLoader.load_file
        return getattr(read, "__wrapped__", read)(self, path)


def quiet() -> None:
    """Remove the listener, keep the keys, and read models apart. Call it right after moto is
    imported.
    """
    BUILTIN_HANDLERS[:] = [entry for entry in BUILTIN_HANDLERS if entry[1] is not botocore_stubber]
    Loader.FILE_LOADER_CLASS = _Own
    if not hasattr(models.generate_private_key, "cache_info"):
        models.generate_private_key = cache(models.generate_private_key)
