"""The installed connectors: manifests at once, code on demand. Standard library only.

Names are imported on first access (PEP 562): a cold ``jackfield --help`` reads entry points but no
manifests.
"""

from __future__ import annotations

from jackfield.kernel.exports import exports

TYPE_CHECKING = False  # typing's own would cost a cold --help as much time as starting Python
if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.catalog.discovery import EntryPoint, entry_points
    from jackfield.catalog.found import Match
    from jackfield.catalog.index import search
    from jackfield.catalog.installed import Catalog, CatalogRow
    from jackfield.catalog.live import StoredManifests

__all__ = [
    "Catalog",
    "CatalogRow",
    "EntryPoint",
    "Match",
    "entry_points",
    "installed_here",
    "of_workspace",
    "search",
]

if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".discovery": "EntryPoint entry_points",
            ".installed": "Catalog CatalogRow",
            ".found": "Match",
            ".index": "search",
        },
    )


def of_workspace(
    catalog: Catalog, workspace: str, stored: StoredManifests | None = None
) -> Catalog:
    """Return ``catalog`` with the operator's own offers in the workspace; ``for_audience`` returns
    the offers of other audiences. ``stored`` are the manifests stored in the workspace.

    Without catalog sources and packages with stored connectors, return the installed catalog, and
    import nothing else.
    """
    kept = stored if catalog.stored_prefixes else None
    if catalog.offering is None and kept is None:
        return catalog
    from jackfield.catalog.offers import OfferedCatalog

    return OfferedCatalog(catalog, catalog.offering, workspace, stored=kept)


def installed_here(environment: Mapping[str, str]) -> Catalog:
    """Return the catalog of the workspace that ``JACKFIELD_WORKSPACE`` names (default:
    ``default``).
    """
    from jackfield.catalog.installed import Catalog

    return of_workspace(
        Catalog.installed(environment=environment),
        environment.get("JACKFIELD_WORKSPACE") or "default",
    )
