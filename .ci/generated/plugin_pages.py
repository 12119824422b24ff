"""``docs/reference/hooks.md``, ``option-sources.md`` and ``packages.md``: hooks, option sources,
and the map of packages.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from generated.markdown import NOTICE, block, table
from generated.prose import first_sentence, markdown, signature
from jackfield.connector.hooks import HOOKS, Specifications

_ROOT = Path(__file__).resolve().parents[2]

_HOOKS = """# Hooks and entry points

jackfield finds packages by entry points and does not import them before they are needed.

- `jackfield.connectors`: a connector. The name is its key, the value its `Connector` object. See
  [A client of your own](own-client.md#package-manifest-and-call).
- `jackfield.plugins`: a module with hooks. If the name ends in the hooks that it implements (`acme.warn`, `acme.around+stage`), the module
  is imported for these only.
- `jackfield.answers`: a function that answers what providers ask a person within a call, as MCP servers do (elicitation). The name is the
  connector's key. See [Questions](#questions).
- `jackfield.commands`: a command of `jackfield`, a function that takes the list of arguments and returns the exit code. A name with a dot
  is a command of two words: `generate.openapi` is `jackfield generate openapi`.
- `jackfield.bindings`: what a library of connectors does for those that have no code of their own.
  - `http`: a function that takes a manifest and returns a connector whose actions are bound to requests instead of code. The name is the
    attribute of the connector's entry point: a package without code declares `acme = "jackfield_acme:http"`.
  - `aws.source`: a function without parameters that returns a family of virtual connectors, which are described on demand. Before the dot
    stands the prefix of their keys (`aws` of `aws.s3`). See [Call any AWS service](../tutorial/any-aws-service.md).
  - `mcp.live`: what makes connectors of servers that describe themselves. See [MCP servers](../tutorial/mcp-servers.md).
  - `awsSigV4.signer`: a function that takes the context and the values of a connection of jackfield-http, and returns an object that signs
    its requests. Before the dot stands the key of the connection type.
- `jackfield.connection_formats`: a `Format` of `jackfield.connections.formats`: how documents of another system are recognised, and what
  reads their connections. The name is the one under which connectors' aliases translate: `dapr` is of jackfield-formats.
  - `csv.grants`: a function that takes the text of another system's export and yields `ForeignGrant` rows of
    `jackfield.connections.grant_formats`. Before the dot stands the name for `connections import --from`.
- `jackfield.engines`, `jackfield.key_wrappers`: a queue's engine, and a [key service](../tutorial/key-services.md).
- `jackfield.lets_out`: an exception that a host raises into calls. The name is the host's, and nothing is imported for it. See
  [Embed it](../tutorial/embed.md).
- `jackfield.parts`: what a runtime is composed of beside the framework, one of each name: `store`, `management`, `platform`, `search`,
  `isolation` (what runs connectors of a marketplace in processes of their own), `testing` (what `jackfield.testing` has), `trying` (a
  first read at a fake), `webhook-samples`, and what `jackfield serve` mounts: `console`, `dapr`, `market` (installing over HTTP) and `mcp`.
  They are jackfield's own packages'; without `store`, nothing is kept.
- `jackfield.secret_stores`: a function that takes a reference and the environment variables, and returns the secret of
  `{"$name": reference}`. The name is the one after `$`: `vault` is of jackfield-vault. See [References](references.md#references). It may
  also be the type of a Dapr secret store (`secretstores.acme.vault`), for a component's `secretKeyRef`. The reference is then
  `{"store": {…}, "name": …, "key": …}`, with the store's metadata under names in lower case.

What one package does by name is an entry point; what many may do at once is a hook. Packages with entry points may also have data in
folders: `locales/de.json` (texts of connectors in German) and `templates/http` (templates for `jackfield new`).

A hook is a function with `@hookimpl` from `jackfield.connector`. It may leave out parameters that it does not need, and the hooks of all
plugins are called. `Jackfield(plugins=[…])` takes plugin objects that are not installed.

## Questions

A function of `jackfield.answers` takes a question and returns its answer, or None. The question has `workspace`, `invocationId`,
`connector`, `connection` and, in the provider's words, `message` and `schema`, the JSON Schema of a form of plain fields. The answer has
`action` (`accept`, `decline` or `cancel`) and, if accepted, `content`: values by the names of the fields; defaults of the form fill in what
is left out.

The call waits for the answer, until its deadline. What a provider asks for is a third party's text: never hand out a secret for it. If the
function fails, or two packages declare one, the question counts as not answered, and the log says why."""

_SOURCES = """# Option sources

An option source lists the choices for a form field: `jackfield options CONNECTOR KEY`, or `POST /v1/connectors/{key}/options/{source}`.
Sources that query the provider need a connection. The choices of some depend on other inputs of the form (`dependsOn`), such as the
repository whose labels they are: pass these as `inputs`, or as `key=value` after `jackfield options CONNECTOR KEY`. An
input refers to its source in its schema, as `x-jackfield.options`."""

_PACKAGES = """# Packages

The packages of `runtime/jackfield`, from the top layer down. A module imports only from the rows below its own, and packages on one row do
not import each other; `make test` checks both."""


def hooks() -> str:
    """The page of hooks."""
    parts = [NOTICE, _HOOKS]
    for name in HOOKS:
        value = getattr(Specifications, name)
        parts += [f"## {name}", block(signature(name, value), "text"), markdown(value)]
    return "\n\n".join(parts) + "\n"


def option_sources(manifests: Iterable[Mapping[str, Any]]) -> str:
    """The page of option sources, by connector."""
    parts = [NOTICE, _SOURCES]
    for manifest in manifests:
        sources = manifest.get("optionSources", ())
        if sources:
            rows = [
                (f"`{row['key']}`", row["title"], row["description"], _users(manifest, row["key"]))
                for row in sources
            ]
            parts += [f"## {manifest['title']}", table(("key", "title", "lists", "used by"), rows)]
    return "\n\n".join(parts) + "\n"


def _users(manifest: Mapping[str, Any], source: str) -> str:
    schemas = [(item["key"], item["inputs"]) for item in manifest["actions"]] + [
        (item["key"], item["schema"]) for item in manifest["connectionTypes"]
    ]
    used = [
        f"`{key}.{name}`"
        for key, schema in schemas
        for name, field in schema["properties"].items()
        if field.get("x-jackfield", {}).get("options") == source
    ]
    return ", ".join(used)


def packages() -> str:
    """The page of packages: a row for each package or module of a layer, in the order that
    import-linter keeps.
    """
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rules = project["tool"]["importlinter"]["contracts"]
    layers = next(rule["layers"] for rule in rules if rule["containers"] == ["jackfield"])
    return (
        "\n\n".join([NOTICE, _PACKAGES, table(("package", "contents"), _rows(layers)), _CONNECTORS])
        + "\n"
    )


_CONNECTORS = """`runtime/jackfield_market` (`jackfield_market`) makes, checks, packs, signs, publishes and installs connectors; its
`testing` is the conformance suite, which tests import as `jackfield.testing`. A platform that only runs connectors does not install it.
`runtime/jackfield_celery` (`jackfield_celery`) is the engine of queued invocations on RabbitMQ or Redis.
`runtime/jackfield_store` holds two packages. `jackfield_store` is the engine, which keeps what lasts: database, journal, access, stored
connections, files, their management, and the queue. `jackfield_service` is the service on it: `subjects/` (tenants, connect sessions,
events, callbacks, schedules, triggers, the audit log) and `shell/` (the HTTP API, the console with the page on which a customer connects,
MCP, what they share, and the commands `serve` and `worker`).
`runtime/jackfield_dapr` (`jackfield_dapr`) serves Dapr's bindings API and runs Thand's workflow files.
`runtime/jackfield_isolation` (`jackfield_isolation`) runs connectors from a marketplace in child processes.
`runtime/jackfield_formats` (`jackfield_formats`) reads connections from the files of Dapr, Thand, SAP BTP and Prismatic, and requests to
other mail providers (`jackfield convert`).
`runtime/jackfield_vault` (`jackfield_vault`) is the secret store and the key service of HashiCorp Vault.

`connectors/aws` (`jackfield_aws`) is the library that all AWS connectors share: sign-in, leases, clients, error map.
`connectors/aws-ses` (`jackfield_aws_ses`) is the connector for Amazon SES, `connectors/aws-ses-simulator`
(`jackfield_aws_ses_simulator`) an AWS account inside a process, with the tour `jackfield demo` on it: no connector.
`connectors/http` (`jackfield_http`) is the library that all HTTP connectors share (client, connection types, error map, paging),
and the connector `http`, for any request. `connectors/openapi` (`jackfield_openapi`) makes connectors from OpenAPI documents, for their
authors.
`connectors/github`, `connectors/slack` and `connectors/stripe` are made from their providers' OpenAPI documents; they have no code.
`connectors/sql` (`jackfield_sql`) is the library of connectors for SQL databases: `connectors/postgresql` (`jackfield_postgresql`) and
`connectors/mysql` (`jackfield_mysql`, MariaDB too). `connectors/redis` (`jackfield_redis`) is the connector for servers of Redis,
`connectors/rabbitmq` (`jackfield_rabbitmq`) for brokers of RabbitMQ, `connectors/imap` (`jackfield_imap`) for mailboxes,
`connectors/sftp` (`jackfield_sftp`) for files of a server.
A new connector adds one folder and changes no other file."""


def _rows(layers: Iterable[str]) -> Iterator[tuple[str, str]]:
    base = _ROOT / "runtime" / "jackfield"
    for layer in layers:
        for name in layer.replace(" : ", " | ").split(" | "):
            folder = base / name
            if name.startswith("("):  # a room for what comes
                continue
            yield (
                f"`{name}{'/' if folder.is_dir() else ''}`",
                _docstring(folder / "__init__.py" if folder.is_dir() else base / f"{name}.py"),
            )


def _docstring(path: Path) -> str:
    return first_sentence(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")
