"""Routes of installed connectors, with their actions, triggers and connection types, and routes for
installing them from catalogues.
"""

from __future__ import annotations

from collections.abc import Mapping

from jackfield_service.shell.http.query_parts import BY_NUMBER, EFFECT, TEXT, Schema, paged
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.subjects.connectors.http import connectors, installations

_BY_NAME = "[A-Za-z0-9._-]{0,100}"
_BY_TYPE = f"{_BY_NAME}/{_BY_NAME}"
_TAG: Schema = {
    **TEXT,
    "description": (
        "The action's `group` in its manifest: of a connector generated from OpenAPI, its "
        "first tag."
    ),
}
_ACTION_FILTERS: Mapping[str, Schema] = {
    "q": TEXT,
    "connector": TEXT,
    "effect": EFFECT,
    "tag": _TAG,
}
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/connectors",
        connectors.connectors,
        "read",
        "listConnectors",
        "List the installed connectors.",
        {200: "ConnectorList", 304: ""},
        query={"fields": connectors.FIELDS, **paged(_BY_NAME)},
        headers=("If-None-Match",),
        describes=True,
    ),
    Operation(
        "GET",
        "/v1/connectors/{key}",
        connectors.connector,
        "read",
        "showConnector",
        "Show a connector's manifest.",
        {200: "Manifest", 304: ""},
        headers=("If-None-Match",),
        problems=(404,),
        describes=True,
    ),
    Operation(
        "GET",
        "/v1/connectors/{key}/actions/{action}",
        connectors.action_guide,
        "read",
        "showAction",
        "Show an action and whether the caller may run it. 'Accept: text/markdown' returns a "
        "guide.",
        {200: "Action"},
        query={"connection": TEXT},
        problems=(404, 406),
        describes=True,
    ),
    Operation(
        "GET",
        "/v1/connectors/{key}/actions/{action}/schema",
        connectors.schema,
        "read",
        "showSchema",
        "Show the schema of an action's inputs.",
        {200: "Schema", 304: ""},
        headers=("If-None-Match",),
        problems=(404,),
        describes=True,
    ),
    Operation(
        "POST",
        "/v1/connectors/{key}/options/{source}",
        connectors.options,
        "read",
        "listOptions",
        "List the choices for a form field.",
        {200: "OptionList"},
        body="OptionsOver",
        problems=(404, 413, 415, 422, 502, 504),
    ),
    Operation(
        "GET",
        "/v1/installations",
        installations.listed,
        "manage",
        "listInstallations",
        "List the connectors that were installed from catalogues, one row per version.",
        {200: "InstallationList"},
    ),
    Operation(
        "GET",
        "/v1/installations:available",
        installations.available,
        "manage",
        "listAvailable",
        "List the connectors of the server's catalogues.",
        {200: "AvailableList"},
        problems=(502, 503),
    ),
    Operation(
        "GET",
        "/v1/installations:outdated",
        installations.outdated,
        "manage",
        "listOutdated",
        "List installed connectors with a newer release or a revoked key.",
        {200: "OutdatedList"},
    ),
    Operation(
        "POST",
        "/v1/installations",
        installations.installed,
        "manage",
        "installConnector",
        "Verify a connector of a catalogue and install it.",
        {200: "Installation", 201: "Installation"},
        body="NewInstallation",
        problems=(404, 409, 413, 415, 502, 503),
    ),
    Operation(
        "POST",
        "/v1/installations/{key}/upgrade",
        installations.upgraded,
        "manage",
        "upgradeConnector",
        "Install the newest release of a connector, unless it breaks callers; 'dryRun' only "
        "compares.",
        {200: "Upgrade"},
        body="UpgradeOptions",
        problems=(404, 409, 413, 415, 502, 503),
    ),
    Operation(
        "DELETE",
        "/v1/installations/{key}",
        installations.removed,
        "manage",
        "removeConnector",
        "Remove a connector that was installed from a catalogue, or one version of it. Its "
        "connections and journal stay.",
        {200: "Removal"},
        query={"version": TEXT},
        problems=(404, 409, 503),
    ),
    Operation(
        "GET",
        "/v1/actions",
        connectors.actions,
        "read",
        "searchActions",
        "Search actions, best match first.",
        {200: "ActionList"},
        query={**_ACTION_FILTERS, **paged(BY_NUMBER)},
        describes=True,
    ),
    Operation(
        "GET",
        "/v1/triggers",
        connectors.triggers,
        "read",
        "listTriggers",
        "Search the triggers, best match first.",
        {200: "TriggerList"},
        query={"q": TEXT, "connector": TEXT, **paged(BY_NUMBER)},
        describes=True,
    ),
    Operation(
        "GET",
        "/v1/connection-types",
        connectors.connection_types,
        "read",
        "listConnectionTypes",
        "List the connection types by name, with the connectors that take them.",
        {200: "ConnectionTypeList"},
        query={"connector": TEXT, **paged(_BY_TYPE)},
        describes=True,
    ),
)
