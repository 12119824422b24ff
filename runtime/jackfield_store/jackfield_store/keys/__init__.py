"""Keys of workspaces: encryption of secrets at rest, and seals of rows that must not be changed in
the database.

    from jackfield_store.keys import MasterKey, Vault

    vault = Vault(database, MasterKey.from_environment(os.environ, home))
    place = ("connection", connection_id, field, str(version))
    sealed = vault.seal("default", place, b"secret")  # 37 bytes longer
    vault.open("default", place, sealed)  # SealBroken in any other place
    vault.hmac("default", canonical_json)  # a keyed fingerprint that reveals nothing

Each workspace has data keys (``data_keys``), wrapped by the master keys (``master_key``,
``key_ring``) or by a key service (``key_wrappers``, ``workspace_wrappers``). ``rewrapping`` rotates
them. ``seal``, ``open`` and ``hmac`` work in any thread, also within a transaction.
"""

from __future__ import annotations

from jackfield_store.keys.master_key import MasterKey
from jackfield_store.keys.vault import Vault

__all__ = ["MasterKey", "Vault"]
