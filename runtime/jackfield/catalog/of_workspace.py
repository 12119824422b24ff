"""Choice of a workspace's catalog. Without catalog sources it is the installed one, and nothing else is imported."""

from __future__ import annotations

from jackfield.catalog.installed import Catalog

TYPE_CHECKING = False  # typing would cost a cold command more time than the choice
if TYPE_CHECKING:
    from collections.abc import Mapping


def of_workspace(catalog: Catalog, workspace: str) -> Catalog:
    """Return ``catalog`` with what the operator's own surfaces are offered in the workspace; ``for_audience`` gives that of others."""
    if catalog.offering is None:
        return catalog
    from jackfield.catalog.offers import OfferedCatalog

    return OfferedCatalog(catalog, catalog.offering, workspace)


def installed_here(environment: Mapping[str, str]) -> Catalog:
    """Return the catalog of the workspace that ``JACKFIELD_WORKSPACE`` names (default: ``default``)."""
    return of_workspace(Catalog.installed(environment=environment), environment.get("JACKFIELD_WORKSPACE") or "default")
