"""Pages of triggers in the console, by path."""

from __future__ import annotations

from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.subjects.triggers.pages import form as subscription_form
from jackfield_service.subjects.triggers.pages import subscriptions

PAGES: tuple[Page, ...] = (
    Page("/subscriptions", subscriptions.listed),
    Page("/subscriptions", subscription_form.created, "POST"),
    Page("/new-subscription", subscription_form.shown),
    Page("/subscriptions/{name}", subscriptions.shown),
    Page("/subscriptions/{name}/events", subscriptions.events),
    Page("/subscriptions/{name}/edit", subscription_form.edited),
    Page("/subscriptions/{name}/edit", subscription_form.saved, "POST"),
    Page("/subscriptions/{name}/{step}", subscriptions.changed, "POST"),
)
