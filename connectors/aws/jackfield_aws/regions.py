"""AWS regions and partitions; validating a name does not import botocore."""

from __future__ import annotations

import re

from jackfield_aws.sessions import shared_session

PARTITION_PATTERNS = {
    "aws": "(us|eu|ap|sa|ca|me|af|il|mx)-[a-z0-9]+-[0-9]+",
    "aws-cn": "cn-[a-z0-9]+-[0-9]+",
    "aws-eusc": "eusc-(de)-[a-z0-9]+-[0-9]+",
    "aws-iso": "us-iso-[a-z0-9]+-[0-9]+",
    "aws-iso-b": "us-isob-[a-z0-9]+-[0-9]+",
    "aws-iso-e": "eu-isoe-[a-z0-9]+-[0-9]+",
    "aws-iso-f": "us-isof-[a-z0-9]+-[0-9]+",
    "aws-us-gov": "us-gov-[a-z0-9]+-[0-9]+",
}
"""Region pattern of each partition: ``regionRegex`` of botocore's ``partitions.json``, with ASCII
classes, which ECMA, Rust and Python read alike. A test compares it with the installed botocore.
"""

DEFAULT_REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-northwest-1",
    "aws-eusc": "eusc-de-east-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
    "aws-us-gov": "us-gov-west-1",
}
"""Default STS region of each partition: ``implicitGlobalRegion`` of the same file."""

REGION_PATTERN = "^(" + "|".join(f"({pattern})" for pattern in PARTITION_PATTERNS.values()) + ")$"
"""JSON Schema ``pattern`` that matches every region of every partition, including new ones."""

REGION_EXPECTED = "an AWS region such as eu-west-1"
"""Phrase for a valid region; it completes "is not …"."""

ANY_REGION_PATTERN = "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"
"""JSON Schema ``pattern`` of regions on servers other than AWS's: ``auto``, ``garage``,
``fr-par``.
"""

ANY_REGION_EXPECTED = "a region such as eu-west-1, or auto"
"""Phrase for a valid region of any server; it completes "is not …"."""

_COMPILED = {name: re.compile(pattern) for name, pattern in PARTITION_PATTERNS.items()}


def normal_region(value: str) -> str:
    """Normalize a region: trimmed and lower case, as AWS writes it."""
    return value.strip().lower()


def partition_of(region: str) -> str | None:
    """Return the partition of a region (``aws``, ``aws-cn`` …); None if it is not a region."""
    return next((name for name, pattern in _COMPILED.items() if pattern.fullmatch(region)), None)


def regions_for(service: str) -> list[tuple[str, str]]:
    """Return code and long name of each region in which botocore knows ``service`` (``sesv2``), by
    code; for option sources.

    The list comes from botocore's data, without calling AWS. A region newer than that data is
    missing from it but still accepted.
    """
    with shared_session() as session:
        names = {
            code: about.get("description", code)
            for partition in session.get_data("endpoints")["partitions"]
            for code, about in partition["regions"].items()
        }
        codes = {
            code
            for partition in session.get_available_partitions()
            for code in session.get_available_regions(service, partition)
        }
    return [(code, names.get(code, code)) for code in sorted(codes) if partition_of(code)]
