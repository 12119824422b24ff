"""Mistakes put into the pipe on purpose, each into a copy of the tree, and the tests that must
notice: ``make campaign mutations``.

Prints one line per mutation; fails if the tests miss one, or if its text is no longer there once.
Arguments choose those whose sentence contains them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.trees import ROOT, environment

_CODE = "runtime"
_WORKERS = os.environ.get("MUTATION_WORKERS", "2")


class Mutation(NamedTuple):
    """Replacement of a text that its module has once, and the tests that are to fail because of
    it.
    """

    says: str
    module: str
    old: str
    new: str
    tests: str

    @property
    def place(self) -> str:
        """Path of the module below the folder of its distribution."""
        return (
            self.module
            if self.module.startswith("jackfield_store/")
            else f"jackfield/{self.module}"
        )


_PIPE, _ACCESS = "tests/jackfield/call", "tests/jackfield_store/access"
_FAULTS, _KEYS, _LISTING = (
    f"tests/jackfield_store/journal/test_journal_{name}.py"
    for name in ("faults", "keys", "listing")
)
_VERDICTS = "tests/jackfield_service/shell/http/test_http_remembered_hosts.py"
_LEASES = (
    "tests/jackfield_store/journal/test_journal_leases.py "
    "tests/jackfield_store/queue/test_queue_zombies.py"
)
_OUTPUTS, _MASKING = "redaction/outputs.py", "tests/jackfield/redaction/test_redaction_outputs.py"

MUTATIONS = (
    # what may be repeated
    Mutation(
        "a write in doubt is sent again",
        "call/certainty.py",
        'return on_doubt == "retry" if row.repeats == BY_CALLER else error.retryable',
        "return error.retryable",
        _PIPE,
    ),
    Mutation("a retry too many", "retry.py", "TRIES = 6", "TRIES = 7", _PIPE),
    Mutation("retries without end", "retry.py", "return not self.is_last", "return True", _PIPE),
    Mutation(
        "Retry-After is not waited for",
        "retry.py",
        "max(error.retry_after or 0.0, ceiling",
        "max(0.0, ceiling",
        _PIPE,
    ),
    Mutation(
        "a write is repeated after a step that succeeded",
        "call/certainty.py",
        "(WRITE, PART_REFUSED): Consequence(UNREPEATABLE),",
        "(WRITE, PART_REFUSED): Consequence(UNREPEATABLE, BY_ERROR),",
        _PIPE,
    ),
    Mutation(
        "renewed credentials repeat a request in doubt",
        "call/attempts.py",
        "and error.sent is not Sent.UNKNOWN\n            and not self.renewed",
        "and not self.renewed",
        _PIPE,
    ),
    Mutation(
        "credentials are renewed again and again",
        "call/attempts.py",
        "self.renewed = True",
        "pass",
        _PIPE,
    ),
    Mutation(
        "a key is as good as new, however old it is",
        "call/tally.py",
        "return min(LONGEST_SHARE, remaining) < left",
        "return True",
        _PIPE,
    ),
    Mutation(
        "a key that no client read makes an action idempotent",
        "call/attempts.py",
        'return "write"\n\n    def _blame(',
        "return self.declared\n\n    def _blame(",
        _PIPE,
    ),
    # doubts
    Mutation(
        "a doubt is taken for a failure",
        "call/errors_map.py",
        "Sent.UNKNOWN if error.code in _NO_REFUSALS else Sent.REFUSED",
        "Sent.REFUSED",
        _PIPE,
    ),
    Mutation(
        "an attempt that did not announce its request sent nothing",
        "call/errors_map.py",
        "call.begun = call.entered and (",
        "call.begun = False and (",
        _PIPE,
    ),
    Mutation(
        "a fault while opening is a doubt",
        "call/attempts.py",
        "error.sent = Sent.NOTHING  # a fault while opening is never in doubt",
        "error.sent = Sent.UNKNOWN",
        _PIPE,
    ),
    Mutation(
        "an answer that breaks its schema is a plain failure",
        "call/certainty.py",
        "(WRITE, UNUSABLE): Consequence(UNREPEATABLE),",
        "(WRITE, UNUSABLE): Consequence(NOTHING),",
        _PIPE,
    ),
    Mutation(
        "an interrupted write was not sent",
        "call/attempts.py",
        "if leaves and self.tally.known & certainty.UNREPEATABLE:",
        "if False:",
        "tests/jackfield_store/journal/test_journal_leaving.py",
    ),
    Mutation(
        "an interrupted call is not recorded",
        "call/invoke.py",
        "endings.interrupted(call, self.workspace)",
        "pass",
        "tests/jackfield_store/journal/test_journal_leaving.py",
    ),
    # deadlines and cancellation
    Mutation(
        "an attempt begins after the deadline",
        "call/attempts.py",
        "if began >= how.deadline.at:",
        "if False:",
        _PIPE,
    ),
    Mutation(
        "an answer long after the deadline counts",
        "call/attempts.py",
        "if self.dependencies.clock.monotonic() - how.deadline.at > GRACE and code.intent is None:",
        "if False:",
        _PIPE,
    ),
    Mutation(
        "back-off outlasts the deadline",
        "call/attempts.py",
        "if seconds >= remaining:",
        "if False:",
        _PIPE,
    ),
    Mutation(
        "a cancelled call tries again",
        "call/attempts.py",
        "if self.asked.how.cancelled.is_set():\n            raise (\n                error\n",
        "if False:\n            raise (\n                error\n",
        _PIPE,
    ),
    Mutation(
        "a try that hangs takes all the time",
        "kernel/clock.py",
        "+ (longest - now) / SHARE",
        "+ (longest - now) / 1",
        _PIPE,
    ),
    Mutation(
        "calls that block are begun without limit",
        "call/on_time.py",
        "if self.overdue >= (self._most or MOST):",
        "if False:",
        "tests/jackfield_service/surfaces/test_surfaces_overdue.py",
    ),
    Mutation(
        "a dry run is sent",
        "call/invoke.py",
        "if asked.invocation.dry_run:\n",
        "if False:\n",
        _PIPE,
    ),
    # the record
    Mutation(
        "the begin of a write is not on the disk",
        "jackfield_store/recording/record.py",
        'if draft.effect != "write" and draft.idempotency_key is None:',
        "if draft.idempotency_key is None:",
        _FAULTS,
    ),
    Mutation(
        "the begin comes after the first byte",
        "call/invoke.py",
        """        if (
            checked.row is not None
            and (result := await self._begun(checked, checked.row, call)) is not None
        ):
            return Ended(result, attempts)
        enter("run")
        if (paging := plan.code.pagination) is None:
            output = await attempts.page(attempts.values)
""",
        """        enter("run")
        if (paging := plan.code.pagination) is None:
            output = await attempts.page(attempts.values)
            if (
                checked.row is not None
                and (result := await self._begun(checked, checked.row, call)) is not None
            ):
                return Ended(result, attempts)
""",
        _FAULTS,
    ),
    Mutation(
        "a key serves another request",
        "jackfield_store/recording/record.py",
        "entry is not None and not self._is_same(entry)",
        "False",
        _KEYS,
    ),
    Mutation(
        "a key is compared without the inputs",
        "jackfield_store/recording/drafting.py",
        '        "inputs": invocation.inputs if invocation.about is None else invocation.about,\n',
        "",
        _KEYS,
    ),
    Mutation(
        "a key is compared without the connection",
        "jackfield_store/recording/drafting.py",
        '        "connection": invocation.connection,\n',
        "",
        _KEYS,
    ),
    Mutation(
        "an outcome is lost",
        "jackfield_store/recording/record.py",
        "if durable or not self._replaced(result):",
        "if durable:",
        "tests/jackfield/cli/test_cli_operators_invocations.py",
    ),
    Mutation(
        "an outcome is not owed to a locked database",
        "jackfield_store/recording/record.py",
        "self._journal.owe(unit)",
        "pass",
        _FAULTS,
    ),
    Mutation(
        "a doubt is not on the disk",
        "jackfield_store/recording/record.py",
        ' or result.status == "in_doubt"\n',
        "\n",
        _FAULTS,
    ),
    Mutation(
        "a replay is recorded again",
        "jackfield_store/recording/record.py",
        "*self._elsewhere)\n            self.leave()",
        "*self._elsewhere)",
        _KEYS,
    ),
    Mutation(
        "an expired key of a doubt is free",
        "jackfield_store/journal/journal.py",
        '            and entry.status != "in_doubt"\n            and free_key',
        "            and free_key",
        _KEYS,
    ),
    Mutation(
        "a refused call takes its key",
        "jackfield_store/journal/journal.py",
        '**self._outcome(draft, result, log),\n            "key_held": 0,',
        '**self._outcome(draft, result, log),\n            "key_held": 1,',
        _KEYS,
    ),
    Mutation(
        "a process without the lease ends a call",
        "jackfield_store/journal/statements.py",
        'AND owner = :owner AND delivery = :delivery"',
        'AND delivery = :delivery"',
        _LEASES,
    ),
    Mutation(
        "an earlier delivery ends a later one",
        "jackfield_store/journal/statements.py",
        'AND owner = :owner AND delivery = :delivery"',
        'AND owner = :owner"',
        _LEASES,
    ),
    Mutation(
        "a lost write is delivered again",
        "jackfield_store/journal/recovery.py",
        'if begun and entry.effect == "write" and not entry.dry_run:',
        "if False:",
        _LEASES,
    ),
    Mutation(
        "a poisonous call is delivered for ever",
        "jackfield_store/journal/recovery.py",
        '_count(deliveries, "lost") >= DELIVERIES',
        "False",
        "tests/jackfield_store/journal/test_journal_dead.py",
    ),
    Mutation(
        "a failure in part frees its key",
        "jackfield_store/journal/journal.py",
        '"key_held": int(answers),',
        '"key_held": int(result.status != "failed"),',
        "tests/jackfield_service/surfaces/test_surfaces_partial.py",
    ),
    Mutation(
        "a doubt is not asked again under its key",
        "jackfield_store/gates/keys.py",
        "asks = never if is_asked else asking(self.found, record.journal.time)",
        "asks = never",
        "tests/jackfield_store/journal/test_journal_lost_keys.py",
    ),
    Mutation(
        "what failed in part is a success",
        "call/settle.py",
        'if asked.invocation.partial == "fail":',
        "if False:",
        "tests/jackfield_service/surfaces/test_surfaces_partial.py",
    ),
    # plans and rules
    Mutation(
        "a plan is kept after an epoch",
        "call/plan.py",
        "and served.moment == moment",
        "and True",
        "tests/jackfield_store/access tests/jackfield/call tests/jackfield/connections",
    ),
    Mutation(
        "a verdict on hosts is kept after an epoch",
        "call/plan.py",
        "if moment != self._moment and",
        "if False and",
        _VERDICTS,
    ),
    Mutation(
        "a verdict of before a change is kept",
        "call/open.py",
        "if self._remembers and state is self._state:",
        "if self._remembers:",
        _VERDICTS,
    ),
    Mutation(
        "hosts to which a library connects are judged once a second",
        "call/open.py",
        "remembers=kind.checks_addresses",
        "remembers=True",
        _VERDICTS,
    ),
    Mutation(
        "a verdict on hosts is kept for good",
        "call/open.py",
        "return self._clock.monotonic() < self._until",
        "return self._until > 0",
        _VERDICTS,
    ),
    Mutation(
        "a plan serves another token's rules",
        "call/plan.py",
        "and served.rules is caller.rules",
        "and True",
        _ACCESS,
    ),
    Mutation(
        "the rules are not asked before a call",
        "call/plan.py",
        "require_call(invocation, manifest, action, authorizer, note)",
        "pass",
        _ACCESS,
    ),
    Mutation(
        "an ended token may call",
        "callers/authorizer.py",
        "if self._ended is not None:",
        "if False:",
        _ACCESS,
    ),
    Mutation(
        "the scope is not asked",
        "callers/rules.py",
        'if scope is not None and not may(scope, "invoke"):',
        "if False:",
        _ACCESS,
    ),
    Mutation(
        "an unreadable block pattern blocks nothing",
        "callers/rules.py",
        'found, fits = Rule(text, ()), kind == "block"',
        "found, fits = Rule(text, ()), False",
        _ACCESS,
    ),
    # secrets
    Mutation(
        "a secret in the output is shown",
        "call/settle.py",
        "shown, withheld = _masked_output(attempts, output)",
        "shown, withheld = output, ()",
        _PIPE,
    ),
    Mutation(
        "a secret in an error is shown",
        "call/masking.py",
        "error.message = redactor.clean(error.message)",
        "pass",
        _PIPE,
    ),
    Mutation(
        "a secret in the provider's words is shown",
        "call/masking.py",
        "text and redactor.clean(text) for text in",
        "text for text in",
        _PIPE,
    ),
    Mutation(
        "secrets of an output are recorded",
        "call/settle.py",
        "recorded(result, plan, queued=asked.how.claimed is not None)",
        "result",
        "tests/jackfield_store/secrets/test_secrets_outputs.py",
    ),
    Mutation(
        "recorded inputs show the connection's secrets",
        "jackfield_store/recording/record.py",
        "inputs = shown if redactor is None else redactor.clean_json(shown)",
        "inputs = shown",
        "tests/jackfield_store/journal/test_journal_kept.py",
    ),
    Mutation(
        "recorded errors show inline values",
        "jackfield_store/recording/record.py",
        'if result.status != "failed" or (inline := self._asked.inline) is None:',
        "if True:",
        "tests/jackfield_store/secrets",
    ),
    Mutation(
        "an escaped secret is not found",
        "redaction/redactor.py",
        "if any(map(text.__contains__, self._signs)):",
        "if False:",
        "tests/jackfield/redaction",
    ),
    Mutation(
        "the rest of a longer secret remains",
        "redaction/redactor.py",
        "max(end, apart[-1][1])",
        "end",
        "tests/jackfield/redaction",
    ),
    Mutation(
        "a secret of the log is not masked",
        "redaction/redactor.py",
        "if found != known:",
        "if False:",
        "tests/jackfield/redaction tests/jackfield/call",
    ),
    # masking of outputs (docs/reference/masking.md)
    Mutation(
        "a public default is searched for", _OUTPUTS, "elif not is_public(half):", "else:", _MASKING
    ),
    Mutation(
        "a short secret is cut out of words",
        _OUTPUTS,
        "short[secret] = Form(secret, words)",
        "long[secret] = form",
        _MASKING,
    ),
    Mutation(
        "a short secret is cut out of Base64",
        _OUTPUTS,
        "if _BASE64.fullmatch(text) and self._texts.clean(text) != MASK:",
        "if False:",
        _MASKING,
    ),
    Mutation(
        "a secret is cut out of a file",
        _OUTPUTS,
        'elif is_file and name == "data":',
        "elif False:",
        _MASKING,
    ),
    Mutation(
        "a secret in Base64 is shown",
        _OUTPUTS,
        "if self._encoded.holds(text):",
        "if False:",
        _MASKING,
    ),
    Mutation(
        "a secret in a member's name is shown",
        _OUTPUTS,
        "if self._long.holds(name):",
        "if False:",
        _MASKING,
    ),
    Mutation(
        "a secret is cut out of a page token",
        _OUTPUTS,
        "if tokens and id(value) in tokens:",
        "if False:",
        _MASKING,
    ),
    Mutation(
        "a page token with a secret is handed out",
        "call/settle.py",
        "raise attempts.unusable(_paging().secret_token())",
        "pass",
        "tests/jackfield/call/test_call_pages.py",
    ),
    Mutation(
        "a page token with a secret fetches the next page",
        "call/paging.py",
        "raise attempts.unusable(secret_token())",
        "pass",
        "tests/jackfield/call/test_call_pages.py",
    ),
    Mutation(
        "nobody is told what is withheld",
        _OUTPUTS,
        "withheld.append(path)\n        return MASK",
        "return MASK",
        _MASKING,
    ),
    Mutation(
        "a warning of what is withheld is lost",
        "call/settle.py",
        "        _with_withheld(withheld, warnings)[:MAX_WARNINGS]",
        "        _with_withheld((), warnings)[:MAX_WARNINGS]",
        "tests/jackfield/call/test_call_kinds.py",
    ),
    Mutation(
        "a weak secret is stored without a word",
        "jackfield_store/management/weak_secrets.py",
        "return _PUBLIC if is_public(secret) else _SHORT if is_short(secret) else None",
        "return None",
        "tests/jackfield_store/secrets/test_secrets_weak.py",
    ),
    Mutation(
        "an error shows a weak secret",
        "connections/connection_cache.py",
        "self._redactor = Redactor(secrets)",
        "self._redactor = Redactor(one for one in secrets if one not in ('minioadmin', 'test'))",
        "tests/jackfield_store/secrets/test_secrets_weak.py",
    ),
    # pages and outputs
    Mutation(
        "an output is not judged",
        "call/settle.py",
        "faults = () if judge is None else judge.judge(output)",
        "faults = ()",
        _PIPE,
    ),
    Mutation(
        "a list that repeats its token never ends",
        "call/paging.py",
        "if token in self._seen:",
        "if False:",
        _PIPE,
    ),
    Mutation(
        "a later page's refusal passes for the end",
        "call/paging.py",
        "if merged is None or not (error.retryable or isinstance(error, NotFound)):",
        "if merged is None:",
        _PIPE,
    ),
    # pace
    Mutation(
        "a throttle is not shared",
        "pacing/turn.py",
        "if isinstance(error, RateLimited):",
        "if False:",
        _PIPE,
    ),
    Mutation(
        "a cancelled call keeps its turn",
        "pacing/turn.py",
        "if call.cancelled.is_set():\n                await self._give_back(pace, place)",
        "if False:\n                pass",
        _PIPE,
    ),
    Mutation(
        "a call that its plan refuses keeps its turn",
        "pacing/turn.py",
        "await self._give_back(pace, grant.position)",
        "pass",
        _PIPE,
    ),
    Mutation(
        "two calls have one slot",
        "pacing/state.py",
        "line.next = position + request.cost",
        "line.next = position",
        _PIPE,
    ),
    Mutation(
        "a used-up quota is not heeded",
        "pacing/state.py",
        "if needs is not None or self.quota.is_used_up(request.cost):",
        "if needs is not None:",
        _PIPE,
    ),
    Mutation(
        "a leased place is handed out twice",
        "pacing/pace.py",
        "lease.start, lease.used = start + request.cost,",
        "lease.start, lease.used = start,",
        _PIPE,
    ),
    Mutation(
        "a database that was gone before a call fails it",
        "jackfield_store/database/batches.py",
        "else item.since < self._begun_commits",
        "else True",
        "tests/jackfield_store/database/test_database_batches.py",
    ),
    # connections
    Mutation(
        "an expired credential is used",
        "connections/connection_cache.py",
        "if held is not None and now < held.renew_at:\n",
        "if held is not None:\n",
        "tests/jackfield/connections tests/jackfield/faults tests/jackfield/call",
    ),
    Mutation(
        "each waiting call mints a credential",
        "connections/connection_cache.py",
        "return flight, False",
        "return _Flight(), True",
        "tests/jackfield/connections tests/jackfield/faults tests/jackfield/call",
    ),
    Mutation(
        "a refused credential drops the one that replaced it",
        "connections/connection_cache.py",
        "if held is not None and held.minted is used:",
        "if held is not None:",
        "tests/jackfield/connections tests/jackfield/faults tests/jackfield/call",
    ),
    Mutation(
        "a changed connection keeps its client",
        "connections/connection_cache.py",
        "if found is None or (found.values is not values and found.values != values):",
        "if found is None:",
        "tests/jackfield/connections tests/jackfield/call",
    ),
    Mutation(
        "hosts are not checked",
        "call/open.py",
        "if self.judge is not None:",
        "if False:",
        "tests/jackfield_service/subjects/connections/test_http_author_guard.py",
    ),
    Mutation(
        "a tenant signs in as the server",
        "call/open.py",
        'if target.origin == "remote" and kind.reads_host and not self._access().ambient:',
        "if False:",
        "tests/jackfield_service/subjects/connections/test_http_connections.py "
        "tests/jackfield/connections tests/jackfield_store/connections/test_store_givers.py",
    ),
)


def _main(wanted: Sequence[str]) -> int:
    chosen = [
        mutation
        for mutation in MUTATIONS
        if not wanted or any(word in mutation.says for word in wanted)
    ]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        _copy(tree)
        missed = [
            mutation.says
            for number, mutation in enumerate(chosen)
            if not _is_caught(tree, mutation, number)
        ]
    print(f"{len(chosen)} mutations, {len(missed)} missed", *missed, sep="\n  ")
    return int(bool(missed))


def _copy(tree: Path) -> None:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = (
        subprocess.run(listing, cwd=ROOT, capture_output=True, check=True)
        .stdout.decode()
        .split("\0")[:-1]
    )
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name, follow_symlinks=False)
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)


def _is_caught(tree: Path, mutation: Mutation, number: int) -> bool:
    """Run the tests against the mutated copy, until the first one fails."""
    folder, _, _ = mutation.place.partition("/")
    place = tree / _CODE / ("" if folder == "jackfield" else folder) / mutation.place
    text = place.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        raise SystemExit(
            f"'{mutation.says}': {mutation.module} has its text {text.count(mutation.old)} "
            "times, not once"
        )
    place.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    os.utime(place, (number, number))  # compiled modules are recognised by seconds and size
    environ = {**environment(tree), "PYTHONPYCACHEPREFIX": str(tree / ".pycache")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "--timeout=120",
        "--workers",
        _WORKERS,
        *mutation.tests.split(),
    ]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environ, capture_output=True, text=True, check=False
        )
    finally:
        place.write_text(text, encoding="utf-8")
    failed = [
        line.split(" ")[1]
        for line in done.stdout.splitlines()
        if line.startswith(("FAILED tests", "ERROR tests")) and "::" in line
    ]
    if done.returncode == 0:
        print(f"MISSED  {mutation.says}", flush=True)
        return False
    if done.returncode != 1 or not failed:
        raise SystemExit(
            f"'{mutation.says}': the tests could not be "
            f"run\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
    print(f"caught  {mutation.says}: {failed[0]}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
