"""Pages of schedules in the console, by path."""

from __future__ import annotations

from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.subjects.schedules.pages import form as schedule_form
from jackfield_service.subjects.schedules.pages import schedules
from jackfield_service.subjects.schedules.pages import times as schedule_times

PAGES: tuple[Page, ...] = (
    Page("/schedules", schedules.listed),
    Page("/schedules", schedule_form.created, "POST"),
    Page("/new-schedule", schedule_form.shown),
    Page("/new-schedule", schedule_form.begun, "POST"),
    Page("/schedule-times", schedule_times.shown),
    Page("/schedules/{name}", schedules.shown),
    Page("/schedules/{name}/edit", schedule_form.edited),
    Page("/schedules/{name}/edit", schedule_form.saved, "POST"),
    Page("/schedules/{name}/{step}", schedules.changed, "POST"),
)
