"""Next steps of the platform's errors in the library's words, and the words of its commands."""

from __future__ import annotations

from collections.abc import Mapping

STEPS: Mapping[str, str] = {
    "schedule_members": (
        "A schedule has 'name', 'invocation' and one of 'cron', 'every' and 'at'; 'timezone', "
        "'missed' and 'overlap' are optional."
    ),
    "schedule_times": (
        "A schedule has 'cron' with a 'timezone', 'every' such as 10s, or 'at', an RFC 3339 time."
    ),
    "subscription_members": (
        "A subscription has 'name', 'trigger' and 'connection'; 'inputs', 'every', 'from' "
        "and 'then' are optional."
    ),
    "trigger_inputs": "See the trigger {connector}/{trigger} for its inputs.",
    "schedules": "The list of schedules has their names.",
    "events": "'Jackfield.events' goes through the events kept.",
    "subscriptions": "The list of subscriptions has their names.",
    "callbacks": "Ask the operator for the callbacks of the workspace.",
    "deliveries": "Ask the operator for the deliveries of the workspace.",
}
COMMANDS: Mapping[str, str] = {
    "trigger_inputs": "'jackfield triggers show {connector}/{trigger}' shows its inputs.",
    "schedules": (
        "'jackfield schedules list' shows the schedules of the workspace; '--workspace' "
        "selects another."
    ),
    "events": (
        "'jackfield events list' shows the events kept of the workspace; '--workspace' "
        "selects another."
    ),
    "subscriptions": (
        "'jackfield subscriptions list' shows the subscriptions of the workspace; "
        "'--workspace' selects another."
    ),
    "callbacks": (
        "'jackfield callbacks list' shows the callbacks of the workspace; '--workspace' "
        "selects another."
    ),
    "deliveries": (
        "'jackfield deliveries list' shows the deliveries of the workspace; '--workspace' "
        "selects another."
    ),
}
