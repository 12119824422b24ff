"""Run before a release what is too long for each commit, one part after the other, and print what
came of each as it ends.

``make campaign`` runs all parts, ``make campaign PART=kills`` one, ``make campaign embedding`` all
whose names begin with ``embedding-``. What a part prints goes to ``.cache/campaign/<part>.log``;
its last line is printed. A part fails if its command does, or has not ended after ``MINUTES``
(default: 180), and is skipped if it ends with exit code 77: its last line says why. The sizes of
benchmarks only measure. ``SIZE=1000 make campaign PART`` makes the parts about events and doubts
smaller.

What ``make test`` leaves to campaigns because it takes more CPU time than it shows, and what stays
in its place:

- PostgreSQL's twin of tests marked ``above_sql``, whose statements are those of other tests, and of
  further cases of one test: each other
  test with a database runs once on PostgreSQL, and those of the database itself all do.
- schemathesis' requests: each operation is called with each kind of token, and an answer of each,
  also to a body that is no JSON, is
  compared with the document.
- the whole generated Python client: that of the operations which it calls is generated.
- constants of our modules as hypothesis' examples: it draws its own.
- secrets planted in PostgreSQL's files: they are sealed above SQL, and planted in SQLite.
- whatever is the same through Starlette and past it, or with one process and several, of servers
  that are stopped, traced or short of
  memory: each is tried once, the ways and the numbers of processes over all these tests.
- 10,000 lines of a batch, 60 MB of blank ones, 1,500 connectors at a start, 500 mails while three
  workers are killed: a fifteenth to a sixth of it.
- S3's twin of tests of files above their bytes, and of the memory that a large file takes: a folder
  does for these, while what is stored,
  changed, read in ranges and swept is tried on S3, too.
- the attacks on connect sessions on PostgreSQL: SQLite has all, PostgreSQL those that confirm, race
  or expire.
- four kills of a dispatcher with 150 events each, eight changes of each kind under calls, 1,000
  planted secrets: two, three and 100.
- the second worker of the compose file: one runs what the API queues, and the file's number of
  replicas is read.
- ``JACKFIELD_PIN=0`` of a server: all servers of tests have it, and one with several workers keeps
  to its cores.
- the generated TypeScript clients: the generated Python client calls the server, and all schemas
  are named as generators need it.
- restarts at 200 requests a second: four callers ask without a pause while a process takes the
  socket over.
- SES's tests through boto3's client: 43 that call most operations go both ways.
- 1,000 examples of each property, 20,000 of some: 25 are drawn.
- AWS: requests of all operations beside botocore's (an eighth of the operations of an eighth of the
  services is compared), telling members
  and codes of all models (a tenth is read; all of the reviewed ones are still needed only in a
  campaign), offers of all services without an
  action of the class (one in 20), a server's memory for an object of 64 MiB (Python's own memory is
  measured for one of 32), and more
  operations whose schemas and labels are compared (12 and 4).
- cfn-lint of the bare role's templates and of those for an access key, whose alarms are those of
  the role: the role with alarms is linted.
- the rules of GitHub and Stripe that compile all of their schemas: Slack, of the same generator,
  keeps them, and all three are what the
  generator makes.
- the conformance suite of SES apart from its grade, which has the same rules and runs five actions.
- 10,000 writes to AWS of which one in five loses its answer, with a log that loses, delays and
  forges: 60 are.
  So are 60 each of 10,000 writes to GitHub and to SES. Each of them on PostgreSQL, and where
  evidence is only shown. The log's 10,000 doubts
  of one outage. 20,000 steps of calls, looks, events, people and deaths in any order: 120 are.
- public documents and misplaced values for the generator: a third and an eighth of them.
- a killed process whose provider forgives, where nothing was lost: the strict provider's five
  deaths are run; a hundred
  threads that ask the certified provider: two dozen ask the scripted one.
- the queue behind RabbitMQ with kills and a restart of the broker: the journal's campaign kills
  workers on SQLite, the line to RabbitMQ is cut
  under an engine (tests/jackfield_celery/test_queue_celery.py), and a poison invocation kills
  processes behind it.
- the journal's campaign on PostgreSQL: its claims run in tests/jackfield_store/queue, and kills at
  random instants in tests/jackfield_store/journal/test_journal_crash.py.
- 20 writers that are killed: 3 are; 100 rotations of keys beside calls: 4 are; a move that is
  stopped five times: twice.
- four fifths of the versions from which a database of SQLite is upgraded, and most of PostgreSQL's:
  each migration runs from version 1.
- half of the frames, numbers and attacks of a hostile connector: heads of frames and descriptions
  are judged directly (tests/jackfield_isolation/test_isolated_suspicion.py), one of each kind is
  sent by a process.
- four of five shuffled lists with faults: each fault is tried by itself, and one list has them all.
- vectors on all surfaces (tests/jackfield_service/surfaces): the first of each group and of each
  code is on all, each other one on one surface, three of
  four of them on the cheapest, the fourth by turns.
- axe in dark and on a phone, and at further pages of a kind (tests/jackfield_service/shell/pages):
  it looks at one page of each kind in light, and at the three with the most kinds of parts in each
  way; no page is wider than a phone, asks anybody else or breaks its policy.
- forms of all actions of shipped connectors, and of more generated ones: a tenth and a
  twenty-fourth are drawn.
- the site with the frame of each page, and all of it in the index: its articles are built as
  strictly, the home page whole, tutorials are found.
- the result of another by a changed row, from the queue: one change of seven is tried so, all at
  once.
- further mutants of a rule (tests/jackfield_market/mutants): one mutant of each rule must be
  caught.
- ends of threads, signals and faults within forked and spawned children, those of a program on
  PostgreSQL, and six of nine hosts: each end is
  tried in a program, each kind of child ends once, and Celery's prefork, RQ and gunicorn with
  workers that are forked from a loaded application.
- most ways to interrupt a call (what is raised, into which thread, task or greenlet) of most kinds,
  by most methods: each way interrupts a write,
  and each kind and method is interrupted.
- the summary of what does not apply under xdist: that of a rule above the grade is read under
  xdist, the former without.
- further processes that assume a role once, cancelled tasks, Ctrl-C at any instant and look-ups of
  one entry of ten thousand on PostgreSQL:
  their statements are those of other tests.
- attachments of 8 MiB: 1 MiB is sent.
- the command that makes GitHub and Stripe again: it makes Slack, and 'make drift', which 'make
  test' runs, makes all three.
- the second process of servers whose spans are collected and that are stopped while idle: one
  process does both.
- unclear answers with further contents, bodies cut in the other two of four ways, the other scheme
  below the same bytes, the other statuses of
  foreign pages, files of connections by their other way in: they take turns.
- the exit code of the command after all but three of the unclear answers: each is judged in the
  library.
- installed dependencies with six more foreign modules: one is installed, and all are judged
  directly (test_market_install_limits.py).
- 9,500 of 10,000 made-up lists with faults of their pages: 500 are read.
- pip at a site of a catalogue: uv reads the same index and refuses the same altered wheel.
- half of the damaged receipts, of the actions whose records hide credentials, and of the wrong
  lists of a recorded page.
- the tasks that the search was tuned with: those that were held out are looked for.
- two rules of four whose connections are told apart once, 14 of 20 shuffled lists that change while
  they are read, ``--maxfail=1`` beside ``-x``.
- changes of clocks but for one year's in 15 time zones, and a year of one more.
- the schemas and examples of SES in its grade: a fifth is compared and replayed.

Smaller in both, where the number was chosen by feel: rotations of keys beside calls (3 of 5),
schedules due at once (40 of 150), events
beside a dead receiver (30 of 100), values of a drawn schema (16 of 24), rounds of fairness and of
garbage, conversations over MCP, the sizes by which linear work is told from
quadratic (a quarter), answers that nobody reads (6 MB of 10), uploads (12 MiB of 64), texts beside
many secrets (20 of 40), jobs that wait (60 of 200), clients made at once (24 of 48), files of
isolated connectors (20 MB of 40), bodies that are held (12 of 8 MiB), restarts, moved rows, and the
look of axe at connect's pages
in dark.

Gone from both, since other tests guard the same:

- test_market_install.py::test_plain_installers:
  test_market_catalogue.py::test_plain_installers_install_from_the_site has pip and uv, too.
- mypy at the project of a new connector, alone: it took 6 s to read again what `make types` reads,
  which has it read that project, too (.ci/types).
- the locale POSIX, which is C by another name; 46 of 57 actions of the service that is frozen into
  a project (its lists and reads stay).
- the 1,000 connectors of test_catalog_installed.py are 300; ``make campaign thousand`` has 1,000.
- tests/jackfield/catalog of search and offers in the wheels' environment (mark ``tree_only``):
  packaging cannot change them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO

from benchmarks.measure import ROOT
from benchmarks.public_sources import SKIPPED
from benchmarks.trees import OF_TESTS

_LOGS = ROOT / ".cache" / "campaign"
_MINUTES = 180
_PYTHON = (sys.executable, "-m")
_EMBEDDING = "tests/jackfield/embedding"
_SCRIPT = (
    "env",
    f"PYTHONPATH={os.pathsep.join(str(ROOT / folder) for folder in ('', *OF_TESTS))}",
    sys.executable,
)
_EVENTS = (*_SCRIPT, "tests/campaigns/events_campaign.py")
_DATABASE = (*_SCRIPT, "tests/campaigns/database_campaign.py")
_AWS_DOUBTS = tuple(
    f"connectors/aws/tests/test_aws_doubts_{part}.py" for part in ("property", "outage")
)
_SIZES = ("catalogue", "catalogue_size", "journal_size", "queue_budgets", "queued", "files")
"""Parts of ``make bench`` whose full sizes take longer than five minutes or 30 GB."""

PARTS: Mapping[str, tuple[str, Sequence[str]]] = {
    "kills": (
        (
            "tests marked 'campaign': kills at random instants, large sizes, all cases of what "
            "is sampled"
        ),
        (*_PYTHON, "pytest", "-m", "campaign", "-q"),
    ),
    "ses-boto3": (
        "all tests of aws-ses with JACKFIELD_AWS_DIRECT=0: boto3's client makes each call",
        (
            "env",
            "CAMPAIGN_WAY=boto3",
            *_PYTHON,
            "pytest",
            "-m",
            "campaign or not campaign",
            "-q",
            "connectors/aws-ses/tests",
        ),
    ),
    "shelf-faults": (
        (
            "each fact of the shelf's services changed, one at a time, and tried at the fake of "
            "the file as it is"
        ),
        (*_PYTHON, "benchmarks.shelf_faults"),
    ),
    "properties": (
        "property tests with 1,000 examples instead of 50",
        (*_PYTHON, "pytest", "-m", "hypothesis and not campaign", "-q"),
    ),
    "events": (
        "100,000 events to 50 callbacks, 20 of them bad, with kills; then the latency; PostgreSQL",
        _EVENTS,
    ),
    "events-sqlite": ("the same on SQLite", (*_EVENTS, "sqlite")),
    "events-pending": (
        "memory of a dispatcher with a million pending deliveries",
        (*_EVENTS, "pending"),
    ),
    "events-readers": (
        (
            "100,000 events of 16 writers that hold transactions for up to 2 s, three readers by "
            "cursor"
        ),
        (
            *_PYTHON,
            "pytest",
            "-m",
            "campaign",
            "-q",
            "tests/jackfield_service/subjects/events/test_events_feed.py",
        ),
    ),
    "events-ends": (
        (
            "20,000 queued calls with kills and a locked database: each end told once, each "
            "resolved doubt once; PostgreSQL"
        ),
        (*_SCRIPT, "tests/campaigns/ends_campaign.py"),
    ),
    **{
        f"database-{part}": (
            f"calls beside PostgreSQL: {what}; what was told against the journal and the provider",
            (*_DATABASE, part),
        )
        for part, what in {
            "kills": "30 minutes of SIGKILL of its server",
            "failover": "30 minutes of failovers to a synchronous standby",
            "lossy": "30 minutes of failovers to a standby that lags",
            "swallowed": "500 commits without acknowledgement",
        }.items()
    },
    "database-proxy": (
        (
            "calls, jobs, a schedule, a poll, a callback and connect pages beside PostgreSQL "
            "that is cut off in 13 ways"
        ),
        (*_SCRIPT, "tests/campaigns/proxy_campaign.py"),
    ),
    "mcp-writes": (
        "1,000 calls of an MCP server that dies at a random byte of each answer",
        (*_SCRIPT, "tests/campaigns/mcp_campaign.py"),
    ),
    "mcp-callers": (
        (
            "1,000 requests to an MCP server by callers over HTTP, the queue and MCP, whose own "
            "credentials are in none"
        ),
        (*_SCRIPT, "tests/campaigns/mcp_callers_campaign.py"),
    ),
    "once-kills": (
        "2,000 kills of processes that call functions with once on SQLite, 500 on PostgreSQL",
        (*_SCRIPT, "tests/campaigns/once_campaign.py"),
    ),
    "mcp-kills": (
        (
            "10,000 writes over MCP by processes that are killed 300 times, on SQLite and on "
            "PostgreSQL"
        ),
        (*_SCRIPT, "tests/campaigns/mcp_kills.py"),
    ),
    "signals": (
        (
            "40 SIGTERM and 40 SIGHUP at random moments of 50 calls, with one process and two, "
            "and commands as process 1 and not"
        ),
        (
            *_PYTHON,
            "pytest",
            "-m",
            "campaign or not campaign",
            "-q",
            "tests/jackfield_service/shell/http/test_http_signals.py",
        ),
    ),
    "pooler": (
        (
            "2,000 calls by 12 callers, half of them queued, behind PgBouncer in transaction "
            "mode, then in session mode"
        ),
        (
            *_PYTHON,
            "pytest",
            "-m",
            "campaign or not campaign",
            "-q",
            "tests/jackfield_store/database/test_database_pooler.py",
        ),
    ),
    "doubts": (
        (
            "10,000 writes each to GitHub, SES and AWS with lost answers, 20,000 steps in any "
            "order, an outage; SQLite and PostgreSQL"
        ),
        (
            *_PYTHON,
            "pytest",
            "-m",
            "campaign",
            "-q",
            "-s",
            "tests/jackfield_store/doubts",
            *_AWS_DOUBTS,
        ),
    ),
    "truth": (
        (
            "20,000 calls to a provider that loses answers and lies to looks, with kills and "
            "approvals; SQLite, Redis and RabbitMQ"
        ),
        (*_SCRIPT, "tests/campaigns/truth_campaign.py"),
    ),
    "ses-events": (
        (
            "5,000 notifications of SNS, doubled and shuffled, to two servers that are killed in "
            "turn; SQLite, then PostgreSQL"
        ),
        (*_SCRIPT, "tests/campaigns/ses_campaign.py"),
    ),
    "tenants": (
        (
            "10,000 workspaces by 8 clients, pages of them, usage after kills, deletion; SQLite, "
            "then PostgreSQL"
        ),
        (*_SCRIPT, "tests/campaigns/tenants_campaign.py"),
    ),
    "hanging": (
        (
            "twenty workspaces beside one whose key service hangs, ten minutes with a real "
            "worker; SQLite, then PostgreSQL"
        ),
        (*_SCRIPT, "tests/campaigns/hanging_campaign.py"),
    ),
    "identity": (
        (
            "20, 100 and 300 callers over HTTP of a source of credentials that hangs, beside the "
            "mails of another connection"
        ),
        (*_SCRIPT, "tests/campaigns/identity_campaign.py"),
    ),
    "quotas": (
        (
            "10,000 calls of 64 processes against a quota of 50, with 150 kills; SQLite, "
            "PostgreSQL, and a failover to a synchronous standby"
        ),
        (
            *_PYTHON,
            "pytest",
            "-m",
            "campaign",
            "-q",
            "-s",
            "tests/jackfield_store/journal/test_journal_quotas.py",
        ),
    ),
    "schedules": (
        (
            "slots of 12 expressions beside each change of each time zone's clocks from 2020 to "
            "2037, judged by a walk over the minutes"
        ),
        (
            *_PYTHON,
            "pytest",
            "-m",
            "campaign",
            "-q",
            "tests/jackfield_service/subjects/schedules/test_schedules_changes.py",
        ),
    ),
    "triggers": (
        (
            "200 lists that change while they are read; 30 days with a provider that is down 20 "
            "% of the time; receipts a second"
        ),
        (*_SCRIPT, "tests/campaigns/trigger_campaign.py"),
    ),
    "hosts": (
        "a notebook in its kernel, shiv, PyInstaller, the first call of a Lambda environment",
        (*_SCRIPT, "tests/campaigns/hosts_campaign.py"),
    ),
    **{
        f"embedding-{part}": (
            what,
            (
                "nice",
                "-n",
                "10",
                *_PYTHON,
                "pytest",
                "-m",
                "campaign or not campaign",
                "-v",
                f"{_EMBEDDING}/test_embedding_{part}.py",
            ),
        )
        for part, what in {
            "frozen": "50 freezes of a process, with both clocks moved on",
            "dropped": "1,000 runtimes that are made, used and dropped: threads, descriptors, memory",
            "ends": (
                "each ordinary end of a program and of its children after 50 writes and 50 "
                "reads; SQLite, then PostgreSQL"
            ),
            "interrupts": "each way to interrupt each kind of call",
            "hosts": "50 tasks in each host of tasks, which then ends; SQLite, then PostgreSQL",
        }.items()
    },
    "frames": (
        (
            "secrets in tracebacks of all public methods and lent clients: what three tools see "
            "without borders, and with them"
        ),
        (
            *_PYTHON,
            "pytest",
            "-m",
            "campaign or not campaign",
            "-q",
            "-s",
            f"{_EMBEDDING}/test_embedding_frames.py",
            f"{_EMBEDDING}/test_embedding_early_frames.py",
            f"{_EMBEDDING}/test_embedding_seen_frames.py",
        ),
    ),
    "interpreters": (
        "the core's tests on each CPython that can be had",
        (*_PYTHON, "benchmarks.environments", "interpreters"),
    ),
    "bounds": (
        "tests with the oldest and the newest packages that are allowed",
        (*_PYTHON, "benchmarks.environments", "bounds"),
    ),
    "resolutions": (
        "newest applications of others beside ours: none is pushed back",
        (*_PYTHON, "benchmarks.resolutions"),
    ),
    "mutations": (
        "mistakes put into the pipe: the tests notice each",
        (*_PYTHON, "benchmarks.pipe_mutations"),
    ),
    "hostile": (
        "inputs of 1 MiB against hostile schemas, with probes beside",
        (*_PYTHON, "benchmarks.hostile_inputs"),
    ),
    "hostile-bodies": (
        "bodies of 1 MiB for each operation of the HTTP API",
        (*_PYTHON, "benchmarks.hostile_bodies"),
    ),
    "hostile-answers": (
        "answers of 30 MB to all that asks: actions, polls, tokens, STS, catalogues",
        (*_PYTHON, "benchmarks.hostile_answers"),
    ),
    "hostile-wheels": (
        "'verify' of hostile wheels of 10 kB",
        (*_PYTHON, "benchmarks.hostile_wheels"),
    ),
    "moves": (
        "'db move' of 500,000 invocations to PostgreSQL and back, killed twice on each way",
        (*_PYTHON, "benchmarks.moving"),
    ),
    "corpus": ("2,639 public OpenAPI documents become connectors", ("make", "corpus")),
    "openapi-lists": (
        (
            "lists of 16 documents of their owners, in the folder JACKFIELD_DOCUMENTS, beside a "
            "table made by hand"
        ),
        (*_PYTHON, "benchmarks.openapi_lists"),
    ),
    "mail": (
        "messages of public test corpora, sent as dry runs: no recipient is lost",
        (*_PYTHON, "benchmarks.mail_corpus"),
    ),
    "mocks": ("25 generated connectors against mock servers", ("make", "mocks")),
    **{
        f"aws-{part}": (f"all of AWS: {part}", (*_PYTHON, "benchmarks.aws_campaign", part))
        for part in ("schemas", "scenarios", "pages", "moto")
    },
    "aws": (
        (
            "each call by us and by boto3: 600 requests of all protocols, answers made up and of "
            "moto, waiters; SEED draws others"
        ),
        (*_PYTHON, "benchmarks.aws_campaign", "judge"),
    ),
    "suite-tuf": (
        "TUF's conformance suite against the market's refresh",
        (*_PYTHON, "benchmarks.public_suites", "tuf"),
    ),
    "suite-jwt": (
        "Wycheproof's signatures and key sets against the judge of JWTs",
        (*_PYTHON, "benchmarks.public_suites", "jwt"),
    ),
    "suite-addresses": (
        "the addresses of is_email against the format and SES",
        (*_PYTHON, "benchmarks.public_suites", "addresses"),
    ),
    "suite-sigv4": (
        "AWS's suite of Signature Version 4 against our signer",
        (*_PYTHON, "benchmarks.public_aws", "sigv4"),
    ),
    "suite-protocols": (
        "1,003 cases of AWS's protocols against our requests and answers",
        (*_PYTHON, "benchmarks.public_aws", "protocols"),
    ),
    "slack-files": (
        "2 GB to Slack, and to an HTTP service and back",
        (*_PYTHON, "benchmarks.slack_files"),
    ),
    "aws-files": ("2 GB to S3 and back", (*_PYTHON, "benchmarks.aws_files")),
    "s3": (
        "5 GB to S3 and from there, killed in the middle of each; 6 GB of disk",
        (*_PYTHON, "benchmarks.s3_files"),
    ),
    "thousand": (
        "1,000 generated connectors",
        (*_PYTHON, "benchmarks.thousand", str(_LOGS / "thousand")),
    ),
    "market": (
        "these as a signed marketplace",
        (*_PYTHON, "benchmarks.generated_market", str(_LOGS / "thousand")),
    ),
    **{part: ("benchmark at its full size", (*_PYTHON, "benchmarks", part)) for part in _SIZES},
}


def _main(names: Sequence[str]) -> int:
    chosen = [_parts(name) for name in names] if names else [[*PARTS]]
    unknown = [name for name, parts in zip(names, chosen, strict=False) if not parts]
    if unknown:
        print(
            f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr
        )
        return 2
    outcomes = [_ran(name) for parts in chosen for name in parts]
    return int(any(outcome.startswith("failed") for outcome in outcomes))


def _parts(name: str) -> list[str]:
    """Return the part of this name, or those whose names begin with it."""
    return [name] if name in PARTS else [part for part in PARTS if part.startswith(f"{name}-")]


def _ran(name: str) -> str:
    """Run a part, print its outcome with the last line of its output, and return the outcome."""
    print(f"{name}: {PARTS[name][0]}", flush=True)
    _LOGS.mkdir(parents=True, exist_ok=True)
    path, started = _LOGS / f"{name}.log", time.monotonic()
    with path.open("wb") as log:
        code = _code(PARTS[name][1], log, 60 * float(os.environ.get("MINUTES") or _MINUTES))
    outcome = (
        "failed (out of time)"
        if code is None
        else {0: "passed", SKIPPED: "skipped"}.get(code, f"failed ({code})")
    )
    said = path.read_text(encoding="utf-8", errors="replace").splitlines()
    print(
        f"  {outcome} after {(time.monotonic() - started) / 60:.1f} minutes: "
        f"{said[-1].strip('= ') if said else ''}",
        flush=True,
    )
    return outcome


def _code(command: Sequence[str], log: IO[bytes], within: float) -> int | None:
    """Run a command; return its exit code, None if it was killed, with its children, since it had
    not ended in time.
    """
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "CAMPAIGN": "1"},
        stdout=log,
        stderr=log,
        start_new_session=True,
    ) as running:
        try:
            return running.wait(within)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if running.poll() is None:  # also if this process is interrupted
                os.killpg(running.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
