"""Modules that may take any exception, and why."""

from __future__ import annotations

FAILURES = "runtime/jackfield/kernel/failures.py"

BROAD = {
    FAILURES: (
        4,
        (
            "the boundary to foreign code: its exception as a value, and what is no Exception as "
            "one, apart in the caller's thread"
        ),
    ),
    "runtime/jackfield_store/jackfield_store/database/batches.py": (
        2,
        "a failed or interrupted commit is given to all callers that wait for it",
    ),
    "runtime/jackfield_store/jackfield_store/journal/instance.py": (
        1,
        "the outcome exists nowhere else, whatever keeps it from being recorded",
    ),
    "runtime/jackfield/kernel/frames.py": (
        3,
        "the border to the host: whatever leaves goes on, its frames cleared",
    ),
    "runtime/jackfield/call/attempts.py": (
        2,
        "the boundaries to a connection type and to an action",
    ),
    "runtime/jackfield/call/invoke.py": (1, "a bug becomes a Result"),
    "runtime/jackfield_store/jackfield_store/recording/record.py": (
        1,
        "an outcome that cannot be recorded is owed, and causes no second send",
    ),
    "runtime/jackfield/wire/connection.py": (
        1,
        "a host's guard or tracer in the place of a socket's function",
    ),
    "runtime/jackfield_store/jackfield_service/subjects/mcp/tool_run.py": (
        1,
        "a bug becomes a protocol error",
    ),
}
"""Modules with a broad ``except``: how many, and why."""
FOREIGN = {
    "runtime/jackfield/boundary/actions.py": "functions of the program, which say by what they raise what they have sent",
    "runtime/jackfield/call/plan.py": (
        "a function of the program that makes a key of inputs, which are refused later if it "
        "makes none"
    ),
    "runtime/jackfield/boundary/values.py": "functions of the program, and their values, which may be no JSON",
    "runtime/jackfield/schema/python_objects.py": "values of the program, which may be of any class",
    "runtime/jackfield/schema/python_types.py": "annotations of the program, and reading values as what they name",
    "runtime/jackfield/kernel/functions.py": "the signature of a function of the program, which it may not have",
    "runtime/jackfield_store/jackfield_store/recording/record.py": "a program's request in an earlier form, which may be no JSON",
    "runtime/jackfield/boundary/looks.py": "a look of the program: one that fails says nothing about the doubt",
    "runtime/jackfield/cli/session.py": "a module of the program: a process does not start without it",
    "runtime/jackfield/catalog/installed.py": "importing a connector may raise anything, SystemExit included",
    "runtime/jackfield/connections/secret_references.py": "secret stores and plugins, whose texts may quote a secret",
    "runtime/jackfield/kernel/ends.py": "what objects do before a process ends, which must not fail that of the others",
    "connectors/aws-ses/jackfield_aws_ses/smtp/client.py": "a mail before its first byte: whatever is raised by whoever has sent nothing",
    "runtime/jackfield/wire/sessions.py": "a session's farewell, after which what it was used for stays done",
    "connectors/rabbitmq/jackfield_rabbitmq/session.py": "what strangers publish, at which pika raises anything: one message of a queue",
    "connectors/aws/jackfield_aws/machine/identity.py": "botocore's sources of credentials, whose failure all waiting callers get",
    "runtime/jackfield/catalog/offering.py": "making a package's catalog source",
    "runtime/jackfield/connections/connection_cache.py": "a mint of a connection type, whose failure all waiting callers get",
    "runtime/jackfield_store/jackfield_store/database/batches.py": "units and callbacks of callers",
    "runtime/jackfield_store/jackfield_store/database/blocked.py": "one workspace's part of a loop, which must not end that of the others",
    "runtime/jackfield_store/jackfield_store/recording/looking.py": "a look, which has failed: it is not made for ever",
    "runtime/jackfield_store/jackfield_store/database/due_rows.py": "the reading of a row, which may be of a newer version",
    "runtime/jackfield_store/jackfield_store/journal/instance.py": "a look for abandoned invocations; the lease is renewed all the same",
    "runtime/jackfield_store/jackfield_service/shell/process/server_context.py": "a step of the sweep, since the others go on",
    "runtime/jackfield/wire/connection.py": "an attempt to connect, of which nothing was sent whatever it raises",
    "runtime/jackfield/wire/addresses.py": "a look-up, whose failure all waiting callers get",
    "connectors/http/jackfield_http/http2.py": "an attempt to connect over HTTP/2, likewise",
    "runtime/jackfield_store/jackfield_store/database/flights.py": "a request, whose failure all waiting callers get",
    "runtime/jackfield_store/jackfield_store/keys/key_wrappers.py": "a package's key wrapper, whose failure is told by its kind",
    **dict.fromkeys(
        (
            f"runtime/jackfield_market/jackfield_market/{one}.py"
            for one in ("author_process", "static_check")
        ),
        "another's binding",
    ),
    "runtime/jackfield_store/jackfield_store/management/authorizing.py": "a connection type's steps of an authorization",
    "runtime/jackfield_store/jackfield_store/management/connection_test.py": "a connection's test, between two of its steps",
    "runtime/jackfield_store/jackfield_store/management/provider_steps.py": "option sources, and the functions of triggers",
    "runtime/jackfield_store/jackfield_store/runtime/due_loop.py": "one look, since a loop that has ended serves nothing more",
    "runtime/jackfield_store/jackfield_service/subjects/triggers/subscription_work.py": "what the functions of triggers return",
    "runtime/jackfield_store/jackfield_service/subjects/triggers/arrivals.py": "events that a connector has made",
    "runtime/jackfield_store/jackfield_service/subjects/triggers/intake.py": "verifiers and readers of webhooks",
    "runtime/jackfield_isolation/jackfield_isolation/answers.py": "the connector, in its own process",
    "runtime/jackfield_isolation/jackfield_isolation/child.py": "the import of the connector, in its own process",
    "runtime/jackfield_isolation/jackfield_isolation/child_call.py": "the connector's minting of a credential, in its own process",
    "runtime/jackfield_isolation/jackfield_isolation/sandbox/probe.py": "attempts to break out of isolation, which are expected to fail",
    "runtime/jackfield_isolation/jackfield_isolation/supervisor.py": "the start of a process, whose failure all that wait for it get",
    "runtime/jackfield/schema/json_values.py": "objects of a host's own classes, as they are read or described",
    "runtime/jackfield/schema/python_values.py": "the same, as they are written as JSON",
    "runtime/jackfield/call/call_objects.py": "the same, of a whole invocation and its own members",
    "runtime/jackfield/invocation/request.py": "the same, as a host parses an invocation by itself",
    "runtime/jackfield_store/jackfield_store/recording/drafting.py": "the same, when a keyed request is hashed; the check refuses it later",
    "runtime/jackfield_store/jackfield_store/recording/sealing.py": "masking what was exchanged; it must not lose the outcome",
    "runtime/jackfield/composition.py": "who answers a provider's questions, whose failure is no answer",
    "runtime/jackfield/connector/hooks.py": "plugins, of which each breaks itself only",
    "runtime/jackfield/call/on_loop.py": "actions",
    "runtime/jackfield/call/how.py": "who follows a call: a failure there must not change its outcome",
    "runtime/jackfield/call/on_time.py": "actions that are not awaited beyond their deadline",
    "runtime/jackfield_store/jackfield_store/recording/enqueue.py": "one invocation of a batch, which must not hold up the others",
    "runtime/jackfield/call/errors_map.py": "connectors' error maps",
    "runtime/jackfield/pacing/turn.py": "connectors' functions of costs, scopes and plans",
    "runtime/jackfield/pacing/pace.py": "connectors' functions of limits",
    "runtime/jackfield_store/jackfield_service/shell/http/direct.py": "an answer, outside of any task that could fail in its place",
    "runtime/jackfield_market/jackfield_market/testing/behaviour.py": "the error map that is examined",
    "runtime/jackfield_market/jackfield_market/testing/driving.py": "the action that is examined",
    "runtime/jackfield_market/jackfield_market/testing/declarations.py": "the option sources that are examined",
    "runtime/jackfield_market/jackfield_market/testing/grading.py": "the connector that is graded",
    "runtime/jackfield_market/jackfield_market/testing/polls.py": "the polls that are examined",
    "runtime/jackfield_market/jackfield_market/testing/registrations.py": "the registrations that are examined",
    "runtime/jackfield_market/jackfield_market/testing/proving/targets.py": "the function that is proved, and the module that it is in",
    "runtime/jackfield_market/jackfield_market/testing/webhooks.py": "the webhooks that are examined",
}
"""Modules that take exceptions as values with ``attempt``: of what."""
