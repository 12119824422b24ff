"""``docs/reference/configuration.md``: each environment variable, workspace setting, and option of
the commands that run for long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from generated.markdown import NOTICE
from jackfield.cli.commands import BUILT_IN, built_in, load_plugged, plugged
from jackfield.cli.parsing import Verb

_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = (_ROOT / "runtime", _ROOT / "connectors" / "aws" / "jackfield_aws")

_VALUES = (
    "White space at the ends of a value is dropped. A value that is blank, in quotes, or broken "
    "over lines (but for master keys)"
    " is refused."
)
_VARIABLES = {
    "JACKFIELD_HOME": (
        (
            "jackfield's data folder, an absolute path: the database, the key file, uploaded "
            "files, and in `cache` the search index, which"
            " may be deleted."
        ),
        (
            "`~/.local/share/jackfield` (`XDG_DATA_HOME`), `~/Library/Application "
            "Support/jackfield` (macOS), `%LOCALAPPDATA%\\jackfield`"
        ),
    ),
    "JACKFIELD_DATABASE_URL": (
        (
            "`sqlite:////absolute/path.db`, `postgresql://user:password@host:5432/name`, `none` "
            "(no journal, no stored connections)."
        ),
        "`jackfield.db` (SQLite) in the data folder",
    ),
    "JACKFIELD_DATABASE_URL_FILE": (
        "A file that contains the database's URL, read if `JACKFIELD_DATABASE_URL` is not set.",
        "none",
    ),
    "JACKFIELD_DATABASE_WAIT": (
        (
            "Seconds (1 to 600) that a wait for an answer of the database, a free connection or a "
            "lock takes at most; a call's deadline"
            " ends it before. A statement on which PostgreSQL works may take 30 seconds, one of "
            "`jackfield db` an hour."
        ),
        "`5` for PostgreSQL, `30` for SQLite, where only locks are waited for",
    ),
    "JACKFIELD_DATABASE_CONNECTIONS": (
        (
            "Connections that a process takes of PostgreSQL at most, from 2 to 200: [their sum "
            "over all"
            " processes](../tutorial/shortage.md#connections-to-postgresql)."
        ),
        "`4`",
    ),
    "JACKFIELD_NEW_DATABASE": (
        (
            "`refuse`: only `jackfield db upgrade` and `jackfield serve --migrate` make a SQLite "
            "database: a wrong path is "
            "an error, not an empty journal. `say`: it is made at first use, and `serve`, "
            "`worker`, commands at a terminal and [`once`](../tutorial/once.md) say where."
        ),
        "`say`",
    ),
    "JACKFIELD_PUBLIC_URL": (
        (
            "The address under which browsers reach `jackfield serve`: redirect URIs and links "
            "begin with it, whatever "
            "`Host` a request has. The setting [`publicUrl`](cli-serve.md#settings) is for all "
            "processes."
        ),
        "none: only a server on loopback has links",
    ),
    "JACKFIELD_DURABILITY": (
        (
            "`disk`: what the journal says is on the disk before a request is sent. `process`: "
            "its commits do not wait for the disk:"
            " [what that may lose](../tutorial/operators.md#storage)."
        ),
        "`disk`",
    ),
    "JACKFIELD_TWINS": (
        (
            "`join`: a write without an idempotency key gets [the Result of an equal "
            "one](../tutorial/retry-safely.md#a-repeated-call-without-a-key) that is open. "
            "`allow`: it runs. Over MCP it "
            "always joins. The setting [`twins`](cli-serve.md#settings) is for all processes."
        ),
        "`allow`",
    ),
    "JACKFIELD_POLICY_URL": (
        (
            "The [policy service](../tutorial/policies.md) that judges listings, calls and "
            "outputs. Processes without it begin no calls then."
        ),
        "none",
    ),
    "JACKFIELD_POLICY_SECRET": (
        "The secret by which questions to it are signed: `whsec_…`.",
        "none",
    ),
    "JACKFIELD_OIDC_ISSUER": (
        "The issuer at which people [sign in to the console](../tutorial/sign-in.md).",
        "none",
    ),
    "JACKFIELD_OIDC_CLIENT_ID": ("The console's client ID there.", "none"),
    "JACKFIELD_OIDC_CLIENT_SECRET": ("The client's secret.", "none"),
    "JACKFIELD_OIDC_CLIENT_SECRET_FILE": ("A file that contains it.", "none"),
    "JACKFIELD_OIDC_GROUPS_CLAIM": ("The claim with a person's groups.", "`groups`"),
    "JACKFIELD_OIDC_SCOPES": ("The scopes that are asked for.", "`openid profile`"),
    "JACKFIELD_ROLES": (
        "The [roles](../tutorial/sign-in.md#give-roles) of people, as JSON.",
        "the setting [`roles`](cli-serve.md#settings)",
    ),
    "JACKFIELD_SETTLE": (
        (
            "What becomes of [evidence about a call in doubt](../tutorial/doubts.md): `off`: "
            "nobody looks for it. `show`: it is shown. "
            "`on`: it settles the doubt. A function of `once` with `look` asks by itself. "
            "The setting [`settle`](cli-serve.md#settings) is for all processes."
        ),
        "`show`",
    ),
    "JACKFIELD_MCP_SERVERS": (
        (
            "Who adds [MCP servers](../tutorial/mcp-servers.md#without-a-package) to a "
            "workspace: `operator`, or `workspaces` themselves."
        ),
        "`operator`",
    ),
    "JACKFIELD_QUEUE_URL": (
        (
            "The broker of queued invocations (extra `celery`): "
            "`amqp://user:password@host:5672/vhost`, `amqps://…`, `redis://…`, `rediss://…`."
        ),
        "none: the database itself is the queue",
    ),
    "JACKFIELD_QUEUE_URL_FILE": (
        "A file that contains the broker's URL, read if `JACKFIELD_QUEUE_URL` is not set.",
        "none",
    ),
    "JACKFIELD_MASTER_KEY": (
        (
            "The master key: 32 bytes in Base64 or Base64url, with or without padding, or 64 "
            "hexadecimal digits. Separate several with"
            " commas: the first one encrypts, all of them decrypt."
        ),
        "the key file",
    ),
    "JACKFIELD_MASTER_KEY_FILE": (
        (
            "A file with one key per line; lines that begin with `#` are comments. The first one "
            "encrypts, all of them decrypt."
        ),
        "`master.key` in the data folder, created at first use with mode 0600",
    ),
    "JACKFIELD_NEW_MASTER_KEY": ("The new key for `jackfield keys rotate`.", "a random key"),
    "JACKFIELD_NEW_MASTER_KEY_FILE": (
        "A file that contains the new key for `jackfield keys rotate`.",
        "none",
    ),
    "JACKFIELD_KEY_WRAPPERS": (
        (
            "What wraps the data keys: `file:`, `file:/path`, `aws-kms://ARN`, "
            "`vault-transit://MOUNT/KEY`, separated by commas. The first"
            " one encrypts, all of them decrypt. See [key services](../tutorial/key-services.md)."
        ),
        "`file:`, the master key",
    ),
    "JACKFIELD_KEY_SERVICE_SECONDS": (
        "How long a request to a key service may take, in seconds below 100. Calls wait for it.",
        "2",
    ),
    "JACKFIELD_KEY_CACHE_SECONDS": (
        (
            "Seconds for which a process caches an unwrapped key, 60 to 604800. If the key "
            "service gives no answer then, a twelfth longer."
        ),
        "86400, a day",
    ),
    "JACKFIELD_FILES_URL": (
        (
            "Storage of files: `file:///absolute/path` or "
            "`s3://bucket/prefix?endpoint=URL&region=NAME` (extra `files`)."
        ),
        "the folder `files` in the data folder",
    ),
    "JACKFIELD_CONNECTIONS": (
        (
            "Connection files and folders, separated by `:` (`;` on Windows). `$NAME` is an "
            "environment variable that contains a document."
        ),
        "none",
    ),
    "JACKFIELD_KUBERNETES_SECRETS": (
        (
            "The folder in which Kubernetes Secrets are mounted, one folder per Secret, for Dapr "
            "components that refer to them."
        ),
        "`/etc/jackfield/secrets`",
    ),
    "JACKFIELD_KUBERNETES_ACCOUNT": (
        (
            "The folder of the pod's service account (`token`, `ca.crt`), by which Dapr "
            "components read Secrets that are not mounted."
        ),
        "`/var/run/secrets/kubernetes.io/serviceaccount`",
    ),
    "JACKFIELD_WORKSPACE": (
        "The workspace that commands and the library use. It must exist.",
        "`default`, which always exists",
    ),
    "JACKFIELD_ONLY_HOSTS": (
        (
            "The only hosts that calls, connection tests, sign-ins and callbacks reach: names "
            "(`*.example.com` too), "
            "addresses and networks, separated by commas; `none` for no host: "
            "[details](../tutorial/test-your-application.md)."
        ),
        "any host",
    ),
    "JACKFIELD_ALLOW_HOSTS": (
        (
            "Internal hosts that connections may use. The setting "
            "[`allowHosts`](cli-serve.md#settings) is for all processes."
        ),
        "none",
    ),
    "JACKFIELD_OUTBOUND_PROXY": (
        (
            "The proxy of all that leaves by HTTP, unless a connection names its own: "
            "`environment` (`HTTPS_PROXY`, `NO_PROXY` and so on), "
            "a URL, or `none`: [behind a proxy](../tutorial/proxies.md#out-of-your-network)."
        ),
        "each path as the table there says",
    ),
    "JACKFIELD_RESOLVE_AT_PROXY": (
        (
            "`1`: names that have no address here are left to the proxy, also those of tenants, "
            "which nobody judges then."
        ),
        "`0`",
    ),
    "JACKFIELD_OFFERS": (
        (
            "The file in which the operator offers connectors of a source to workspaces, such as "
            "all services of AWS."
        ),
        (
            "`offers.json` in the data folder; without it, tenants and MCP clients are offered "
            "nothing. `jackfield offers` changes it"
        ),
    ),
    "JACKFIELD_ISOLATION": (
        (
            "Isolation of installed connectors: words such as `per-connector`, `strict`, "
            "`memory=MIB`, `processes=N`, separated by commas."
        ),
        "`per-workspace,memory=1024,processes=32`",
    ),
    "JACKFIELD_PROVE_FOLDER": (
        (
            "Set by `jackfield prove` for what it runs: a folder that is new for each situation, "
            "for state that runs leave behind."
        ),
        "unset",
    ),
    "JACKFIELD_PIN": (
        (
            "`0`: the processes of `jackfield serve` use all cores. Otherwise each keeps to one "
            "of those that it may use."
        ),
        "unset",
    ),
    "JACKFIELD_AWS_DIRECT": (
        (
            "`0`: all calls of AWS are made by boto3's client. Otherwise botocore's makes only "
            "those to which it adds something (S3,"
            " streams, checksums); the others cost half of the CPU time without it."
        ),
        "`1`",
    ),
    "JACKFIELD_LOG": (
        "The format of the log on stderr: `console`, or `json` for one object per line.",
        "`console`",
    ),
    "JACKFIELD_LOG_LEVEL": ("`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`.", "`WARNING`"),
    "JACKFIELD_VAULT_HOSTS": (
        (
            "further hosts of Vault, separated by commas, to which the one in `VAULT_ADDR` may "
            "redirect: the token goes along."
        ),
        "none: redirects stay on its host",
    ),
}
"""Each variable of ours: its meaning and its default."""

_FOREIGN = {
    "DAPR_API_TOKEN": (
        "The token that callers of the Dapr bindings API must send.",
        "none: loopback only",
    ),
    "APP_ID": ("The application whose Dapr components are loaded.", "none"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": (
        (
            "The collector of traces (extra `otel`). [Traces](../tutorial/containers.md#traces) "
            "lists OpenTelemetry's variables that apply."
        ),
        "no traces",
    ),
    "PROMETHEUS_MULTIPROC_DIR": (
        "The folder in which worker processes share their metrics.",
        "a temporary folder",
    ),
    "VAULT_ADDR": (
        (
            "HashiCorp Vault; also `VAULT_TOKEN`, `VAULT_TOKEN_FILE`, `VAULT_NAMESPACE`, "
            "`VAULT_CACERT`, `VAULT_CACERT_BYTES`, `VAULT_CAPATH`."
        ),
        "none",
    ),
    "JACKFIELD_DNS_SERVERS": (
        (
            "DNS servers for the doctor of Amazon SES, separated by commas: "
            "`192.0.2.1,127.0.0.1:5353`."
        ),
        "the machine's resolver",
    ),
    "AWS_*": (
        "AWS's own variables: region, credentials, endpoints, proxies, certificate bundle.",
        "AWS's own",
    ),
    "NO_COLOR": ("Any value switches off colours on a terminal.", "none"),
    "JACKFIELD_TOKEN": (
        "The token in the examples that the console shows; jackfield itself does not read it.",
        "none",
    ),
}
"""Variables of others, and those that only examples use."""

_COMMANDS = ("serve", "worker", "mcp", "dapr")
_TEXT = """# Configuration

jackfield has no configuration file. It is configured by environment variables, by the options of long-running commands, and by
the [settings of each workspace](workspace-settings.md). A connection's own values are described on the
[connector's page](connectors/aws-ses.md)."""

_WORKSPACE = """# Workspace settings

`jackfield workspaces set NAME` changes them; every call that begins after the change was answered follows it, in all running
processes. [Access](access.md) explains the rules, [Connections](references.md#access-to-the-server) the settings for connections made
over HTTP or MCP.

- **`rules`** (`--allow`, `--block`): patterns of allowed and blocked calls. Default: everything is allowed.
- **`writes`** (`--writes`): with `ask`, an action with the effect `write` waits until a person
  [approves](../tutorial/approvals.md) it, unless an allow pattern names it without a wildcard, such as `aws-ses/sendEmail`. A platform
  cannot turn it off. Default: `allow`; the console's form for a new workspace begins with `ask`.
- **`keepInputs`** (`--keep-inputs`): store inputs in the journal, redacted and encrypted. Default: `no`; only a fingerprint is stored.
- **`keepDoubts`** (`--keep-doubts`): keep inputs and request of a call in doubt, encrypted, until it is settled. Default: `yes`.
  [What is kept](masking.md#inputs-of-a-doubt).
- **`retentionDays`** (`--retention-days`): days for which finished invocations are stored, 1 to 3650. Default: 30.
- **`queueRate`**, **`queueConcurrency`** (`--queue-rate`, `--queue-concurrency`): queued invocations of the workspace that all workers
  together begin per second, and run at once; up to 100,000. Default: 0, unlimited.
- **`connectionBudgets`** (`--connection-rate NAME=N`, `--connection-concurrency NAME=N`): `rate` and `concurrency` of the queued
  invocations over a connection, by its name, or `*` for each connection that has none. Default: none.

  What exceeds a budget waits in the queue. It holds no worker, and delays nothing of other workspaces or over other connections. A rate
  allows a burst of what half a second earns. It holds over all processes and their restarts, by the database's clock.
- **`quotas`** (`--quota JSON`): how many calls may [take effect](../tutorial/quotas.md) in a span of time. Default: none.
- **`guards`** (`--guard NAME=JSON`): the guard of a connection, by its name, or `*` for each connection that has none, and for inline
  ones. `{}` refuses suppressed recipients, `{"refuse": false}` does not, `null` removes it. Default: none. See
  [Know what became of a mail](../tutorial/mail-events.md#send-nothing-more-to-whom-it-bounced).
- **`twins`** (`--twins`): what becomes of [an equal write without a key](../tutorial/retry-safely.md#a-repeated-call-without-a-key):
  `join` or `allow`. Default: as `JACKFIELD_TWINS` says.
- **`settle`** (`--settle`): what becomes of [evidence about a call in doubt](../tutorial/doubts.md): `off`, `show` or `on`. Default: as
  `JACKFIELD_SETTLE` says; of the two, the stricter one holds.
- **`settleAbsent`** (`--settle-absent`): a doubt is also settled, as failed, where the provider has no trace of the call and its reads are
  known to be complete. Default: `no`.
- **`allowReferences`** (`--allow-references`): the secret references that connections made over HTTP or MCP may contain. Default: `no`.
- **`allowAmbient`** (`--allow-ambient`): use of the server's own cloud identity by such connections. Default: `no`.
- **`allowOwnExternalId`** (`--allow-own-external-id`): External IDs chosen by such connections. Default: `no`.
- **`theme`** (over HTTP): the look of [connect sessions](../tutorial/connect.md) that bring none: `name`, `logo`, `color`, `scheme`."""


def page() -> str:
    """The page. A variable that the code reads and the table lacks, or the reverse, is an error."""
    read = set(_read())
    if read - {*_VARIABLES, *_FOREIGN} or _VARIABLES.keys() - read:
        raise KeyError(
            f"variables of the code and of the page differ: {sorted(read ^ _VARIABLES.keys())}"
        )
    parts = [
        NOTICE,
        _TEXT,
        "## Environment variables",
        _VALUES,
        *map(_variable, _VARIABLES.items()),
    ]
    parts += [
        "### Variables of other software",
        *(
            f"- **`{name}`**: {text} Default: {default}."
            for name, (text, default) in _FOREIGN.items()
        ),
    ]
    parts += [part for command in _COMMANDS for part in _options(command)]
    return "\n\n".join(parts) + "\n"


def workspace_page() -> str:
    """The page of what a workspace has of its own."""
    return f"{NOTICE}\n\n{_WORKSPACE}\n"


def _read() -> Iterator[str]:
    for path in sorted(path for folder in _SOURCES for path in folder.rglob("*.py")):
        yield from re.findall(r"\"(JACKFIELD_[A-Z_]*[A-Z])\"", path.read_text(encoding="utf-8"))


def _variable(row: tuple[str, tuple[str, str]]) -> str:
    name, (text, default) = row
    return f"### {name}\n\n{text} Default: {default}."


def _options(command: str) -> Iterator[str]:
    verbs = built_in(command) if command in BUILT_IN else load_plugged(plugged()[command])
    parser = cast("Mapping[str, Verb]", verbs)[""].parser(command)
    yield f"## Options of jackfield {command}"
    yield "\n".join(
        _option(action)
        for action in dict.fromkeys(parser.flags.values())
        if action.dest not in {"help", "json"}
    )


def _option(action: Any) -> str:
    value = (
        f" {action.metavar}"
        if action.metavar
        else f" {'|'.join(action.choices)}"
        if action.choices
        else ""
    )
    unit = "s" if action.metavar == "DURATION" else ""
    default = (
        f" Default: `{action.default:g}{unit}`."
        if isinstance(action.default, float)
        else f" Default: `{action.default}`."
    )
    shown = default if action.default not in (None, False, "", []) else ""
    # said once
    about = re.sub(r" \(default [^;)]*\)", "", str(action.help)) if shown else str(action.help)
    return f"- **`{action.option_strings[-1]}{value}`**: {about.rstrip('.')}.{shown}"
