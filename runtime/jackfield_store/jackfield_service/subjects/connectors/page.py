"""Pages of connectors in the console, by path."""

from __future__ import annotations

from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.subjects.connectors.pages import connectors, marketplace, trial

PAGES: tuple[Page, ...] = (
    Page("/connectors", connectors.listed, describes=True),
    Page("/connectors/{key}", connectors.shown, describes=True),
    Page("/connectors/{key}/trial", trial.tried, "POST"),
    Page("/marketplace", marketplace.listed),
    Page("/marketplace/{key}", marketplace.shown),
    Page("/marketplace/{key}/installation", marketplace.installed, "POST"),
    Page("/marketplace/{key}/upgrade", marketplace.upgraded, "POST"),
    Page("/marketplace/{key}/version", marketplace.pinned, "POST"),
    Page("/marketplace/{key}/removal", marketplace.removed, "POST"),
)
