"""Pages of tenants in the console, by path."""

from __future__ import annotations

from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.subjects.tenants.pages import own_workspaces, settings, tenant, tenants

PAGES: tuple[Page, ...] = (
    Page("/tenants", tenants.listed),
    Page("/tenants", tenants.created, "POST"),
    Page("/shared-settings", settings.shown),
    Page("/shared-settings", settings.changed, "POST"),
    Page("/tenants/{w}", tenant.shown),
    Page("/tenants/{w}/usage", tenant.usage_saved),
    Page("/tenants/{w}/switch", tenants.switched, "POST"),
    Page("/tenants/{w}/tokens/{id}/revocation", tenant.token_revoked, "POST"),
    Page("/tenants/{w}/{step}", tenant.changed, "POST"),
    Page("/workspaces", own_workspaces.listed),
    Page("/workspaces/{w}", own_workspaces.entered, "POST"),
)
