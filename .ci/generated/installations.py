"""Schemas of the files of installed connectors: ``jackfield.lock``, ``jackfield-receipt.json`` and
``install-policy.toml``.
"""

from __future__ import annotations

from typing import Any

from generated.words import CONNECTOR_KEY, Json, closed, document
from jackfield_market.installing.policy import GRADES, MEMBERS

_TEXT = {"type": "string", "minLength": 1}
_SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_NAME = {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}
_VERSION = {
    "type": "string",
    "pattern": "^[0-9][a-z0-9.!+]*$",
    "description": "A version in its normalised spelling (PEP 440).",
}
_KEY_ID = {
    "type": "string",
    "pattern": "^[0-9a-f]{32}$",
    "description": "First 32 digits of the SHA-256 of the public key.",
}
_KEY = {"type": "string", "pattern": CONNECTOR_KEY}
_TIME = {"type": "string", "format": "date-time"}
_WORDS = {"type": "array", "items": {"type": "string"}}
_PERMISSIONS = {
    "type": "object",
    "additionalProperties": _WORDS,
    "description": "Names of permissions by system, such as aws:iam.",
}
_DEPENDENCIES = {
    "type": "array",
    "description": (
        "Distributions that the environment has beside the host's, with the SHA-256 of each "
        "acceptable wheel."
    ),
    "items": closed(
        {
            "name": _NAME,
            "version": _VERSION,
            "sha256": {"type": "array", "items": _SHA256, "minItems": 1},
        },
        ["name", "version", "sha256"],
    ),
}


def lock() -> Json:
    """Build the schema of a lock file."""
    about: dict[str, Any] = {
        "connector": _KEY,
        "name": _TEXT,
        "version": _TEXT,
        "wheel": _TEXT,
        "sha256": _SHA256,
    }
    row = {
        **about,
        "publisher": _TEXT,
        "keyId": _KEY_ID,
        "source": {"type": "string", "format": "uri"},
        "dependencies": _DEPENDENCIES,
    }
    source = closed(
        {
            "rootSha256": {
                **_SHA256,
                "description": "SHA-256 of the root.json that was pinned for the source.",
            }
        },
        ["rootSha256"],
    )
    members = {
        "lockVersion": {"const": 1},
        "sources": {
            "type": "object",
            "additionalProperties": source,
            "description": "Catalogues by URL.",
        },
        "connectors": {"type": "array", "items": closed(row, row)},
    }
    return document(
        "lock",
        "Lock file",
        "Exactly which connectors and dependencies to install.",
        closed(members, members),
    )


def receipt() -> Json:
    """Build the schema of an installed connector's receipt."""
    publisher = {
        "publisher": _TEXT,
        "keyId": _KEY_ID,
        "publicKey": {**_TEXT, "description": "Ed25519 key in base64."},
    }
    required: dict[str, Any] = {
        "receiptVersion": {"const": 1},
        "key": _KEY,
        "name": _TEXT,
        "version": _TEXT,
        "title": _TEXT,
        "entryPoint": {**_TEXT, "description": "module:attribute of the connector."},
        "wheel": _TEXT,
        "sha256": _SHA256,
        "publisher": closed(publisher, publisher),
        "signedAt": _TIME,
        "source": closed(
            {"url": {"type": "string", "format": "uri"}, "rootSha256": _SHA256},
            ["url", "rootSha256"],
        ),
        "permissions": _PERMISSIONS,
        "paths": {
            **_WORDS,
            "description": "Folders to import from, relative to the receipt, in this order.",
        },
        "dependencies": _DEPENDENCIES,
        "installedAt": _TIME,
    }
    members = {
        **required,
        "grade": _TEXT,
        "licence": _TEXT,
        "hosts": {**_WORDS, "description": "Hosts that it connects to."},
    }
    return document(
        "receipt",
        "Receipt",
        "An installed version of a connector: where it came from, and how to import it.",
        closed(members, required),
    )


def policy() -> Json:
    """Build the schema of the policy file, as JSON of its TOML."""
    kinds: dict[str, Json] = {
        "minimumGrade": {"enum": list(GRADES)},
        "permissions": _PERMISSIONS,
        "index": {"type": "string", "format": "uri"},
    }
    members = {name: kinds.get(name, _WORDS) for name in MEMBERS}
    return document(
        "install-policy",
        "Installation policy",
        "What may be installed; a member left out allows everything.",
        closed(members),
    )
