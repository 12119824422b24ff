"""Routes of callbacks and deliveries: those of a workspace, and the same below ``/v1/platform`` for all workspaces of a platform."""

from __future__ import annotations

from jackfield.callers import Scope
from jackfield_service.subjects.callbacks import http as callbacks
from jackfield_service.shell.http.query_parts import BY_ID, TEXT, Schema, filters, page
from jackfield_service.shell.operations.operation import Operation

_STATUS: Schema = {"type": "string", "enum": ["pending", "delivered", "dead"]}


def _operations(at: str, scope: Scope, of: str, behalf: tuple[str, ...]) -> tuple[Operation, ...]:
    whose = ", in all workspaces of the platform," if of else ""
    return (
        Operation(
            "GET", f"{at}/callbacks", callbacks.listed, scope, f"list{of}Callbacks", "List the callbacks, without their secrets.",
            {200: "CallbackList"}, query={**filters(callbacks.FILTERS), **page(BY_ID)}, problems=(503,),
        ),
        Operation(
            "POST", f"{at}/callbacks", callbacks.created, scope, f"create{of}Callback",
            f"Send the events that happen from now on{whose} to a URL. Only this response contains the secret.",
            {201: "CreatedCallback"}, headers=behalf, body="NewCallback", problems=(413, 415, 422, 503),
        ),
        Operation(
            "GET", f"{at}/callbacks/{{id}}", callbacks.shown, scope, f"show{of}Callback", "Show a callback.",
            {200: "Callback"}, problems=(404, 503),
        ),
        Operation(
            "PATCH", f"{at}/callbacks/{{id}}", callbacks.changed, scope, f"change{of}Callback",
            "Change the members given; 'status' pauses and resumes it.",
            {200: "Callback"}, headers=behalf, body="CallbackUpdate", problems=(404, 413, 415, 422, 503),
        ),
        Operation(
            "DELETE", f"{at}/callbacks/{{id}}", callbacks.removed, scope, f"remove{of}Callback", "Delete a callback and its deliveries.",
            {204: ""}, headers=behalf, problems=(404, 503),
        ),
        Operation(
            "POST", f"{at}/callbacks/{{id}}:rotate", callbacks.rotated, scope, f"rotate{of}Callback",
            "Make a new secret; the present one stays valid for a day, or for 'overlapSeconds'.",
            {200: "RotatedCallback"}, headers=behalf, body="CallbackRotation", problems=(404, 413, 415, 422, 503),
        ),
        Operation(
            "POST", f"{at}/callbacks/{{id}}:test", callbacks.tested, scope, f"test{of}Callback",
            "Send a test event now, once, and return what became of it.", {200: "CallbackTest"}, headers=behalf, problems=(404, 409, 503),
        ),
        Operation(
            "POST", f"{at}/callbacks/{{id}}:recover", callbacks.recovered, scope, f"recover{of}Callback",
            "Send all events since a time that were not delivered.",
            {202: "Recovery"}, headers=behalf, body="CallbackRecovery", problems=(404, 413, 415, 503),
        ),
        Operation(
            "GET", f"{at}/deliveries", callbacks.listed_deliveries, scope, f"list{of}Deliveries",
            "List deliveries to callbacks, newest first.",
            {200: "DeliveryList"}, query={"callback": TEXT, "status": _STATUS, **page(BY_ID)}, problems=(503,),
        ),
        Operation(
            "GET", f"{at}/deliveries/{{id}}", callbacks.shown_delivery, scope, f"show{of}Delivery",
            "Show a delivery with its last attempts.",
            {200: "Delivery"}, problems=(404, 503),
        ),
        Operation(
            "POST", f"{at}/deliveries/{{id}}:resend", callbacks.resent, scope, f"resend{of}Delivery",
            "Send a delivery again, with a fresh count of attempts.", {202: "Delivery"}, headers=behalf, problems=(404, 503),
        ),
    )  # fmt: skip


CALLBACKS = _operations("/v1", "manage", "", ())
PLATFORM_CALLBACKS = _operations("/v1/platform", "platform", "Platform", ("Jackfield-On-Behalf-Of",))
