"""Choice between the versions of a connector that are installed side by side, by a PEP 440 specifier."""

from __future__ import annotations

from collections.abc import Sequence

from jackfield.errors import UnknownConnector


def choose(key: str, versions: Sequence[str], specifier: str) -> str:
    """Return the highest of ``versions`` that ``specifier`` allows; a prerelease only if no final version fits.

    :raises UnknownConnector: if none fits, or the specifier is not valid.
    """
    from packaging.version import Version

    try:
        fitting = _fitting(versions, specifier)
    except ValueError:  # InvalidSpecifier, or int() refusing too many digits
        raise UnknownConnector(
            f"'{specifier[:80]}' is not a version specifier",
            hint="Give a PEP 440 specifier such as '>=1.2,<2' as connectorVersion.",
        ) from None
    if not fitting:
        have = f"version {versions[0]} is" if len(versions) == 1 else f"versions {', '.join(versions)} are"
        raise UnknownConnector(
            f"no installed version of '{key}' matches '{specifier[:80]}'; {have} installed",
            hint="Install a matching version, or widen connectorVersion.",
        )
    if len(fitting) == 1:  # perhaps not of PEP 440, and allowed by '==='
        return fitting[0]
    return max(fitting, key=lambda version: (not Version(version).is_prerelease, Version(version)))


def _fitting(versions: Sequence[str], specifier: str) -> list[str]:
    from packaging import specifiers, version

    wanted, found = specifiers.SpecifierSet(specifier), []
    for text in versions:
        try:
            fits = wanted.contains(text, prereleases=True)
        except version.InvalidVersion:  # of packaging before 26, for a version that is not of PEP 440
            fits = str(wanted) == f"==={text}"
        if fits:
            found.append(text)
    return found
