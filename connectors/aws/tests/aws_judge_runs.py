"""What the judge beside us compares: requests, made-up answers, moto's answers and waiters; with a
line for each known difference.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from botocore.waiter import SingleWaiterConfig
from jmespath.exceptions import JMESPathError
from moto.backend_index import backend_url_patterns

import aws_scenarios
from aws_judge import Count, Pair, Reply, Sent, answers_differ, refusal, requests_differ
from aws_judge_values import answer, as_json, as_python, native
from jackfield.connector import JobFailed
from jackfield.invocation import Result
from jackfield_aws.virtual import models
from jackfield_aws.virtual.index import Index
from jackfield_aws.virtual.names import action_key
from jackfield_aws.virtual.operations import describe
from jackfield_aws.virtual.plain_values import JSON_OUTPUTS
from jackfield_aws.virtual.waits import _waiter as waiter_of
from moto_rig import Rig

PROTOCOLS = ("query", "ec2", "json 1.0", "json 1.1", "rest-json", "rest-xml", "smithy-rpc-v2-cbor")
"""Wire forms of botocore's models: the six protocols, with both versions of JSON."""
REASONS: tuple[tuple[str, str], ...] = (
    (
        r"^[\w-]+\.Head\w+: error 404 of boto3, not_found",
        "a HEAD has no body: boto3 makes a code of its status, we say what it means",
    ),
    (
        r"^kinesis\.ListShards: request: .*StreamName",
        "AWS refuses the stream's name beside a token: we leave it out",
    ),
    (
        r"error (?:404|500) of boto3, unavailable: .* a page of HTML",
        "moto lacks the operation, or fails at it, with a page: both fail",
    ),
    (
        r"error (?:404|500) of boto3, rejected: the endpoint does not implement",
        "moto lacks the operation: both fail",
    ),
)
"""Patterns of a difference (``service.Operation: what``), each with its reason."""


def protocol_of(service: str) -> str:
    """Return the wire form of a service."""
    model = models.service_model(service)
    protocol = str(model.resolved_protocol)
    return f"json {model.metadata.get('jsonVersion', '1.0')}" if protocol == "json" else protocol


def operations(
    seed: int, each: int, most_of_one: int = 12, services: frozenset[str] | None = None
) -> Iterator[tuple[str, str, str]]:
    """Yield protocol, service and operation: ``each`` of every protocol, drawn by ``seed``, from as
    many services as there are.
    """
    chance, index = random.Random(seed), Index()
    by_protocol: dict[str, list[str]] = {protocol: [] for protocol in PROTOCOLS}
    for service in sorted(index.services):
        if services is None or service in services:
            by_protocol[protocol_of(service)].append(service)
    for protocol, named in by_protocol.items():
        rows = {service: [name for name, _, _ in index.rows(service)] for service in named}
        for names in rows.values():
            chance.shuffle(names)
        chance.shuffle(named)
        least = -(-each // max(1, len(named)))
        drawn = [
            (service, name)
            for service in named
            for name in rows[service][: max(min(most_of_one, least + 1), least)]
        ]
        chance.shuffle(drawn)
        yield from ((protocol, service, name) for service, name in drawn[:each])


def requests_run(judge: Pair, seed: int, each: int, **chosen: Any) -> Count:
    """Compare the requests of drawn operations with generated inputs."""
    count, chance = Count(), random.Random(seed)
    for protocol, service, name in operations(seed, each, **chosen):
        shape = judge.shape(service, name).input_shape
        given = native(shape, chance) if shape is not None else {}
        judge.at.says(refusal(protocol))
        theirs, their_requests = judge.theirs(service, name, given), list(judge.at.requests)
        judge.at.says(refusal(protocol))
        ours, our_requests = judge.ours(service, name, as_json(given)), list(judge.at.requests)
        _noted(count, protocol, service)
        if not their_requests and not our_requests:
            count.refused += 1
            count.explained.append(
                f"refused: {service}.{name}: {str(theirs)[:160]} / {str(ours.get('error'))[:160]}"
            )
            continue
        differ = requests_differ(our_requests, their_requests)
        if differ:
            told = (
                f"; ours {ours['error']['message']} {str(ours['error'].get('details', ''))[:200]}"
                if not our_requests
                else ""
            )
            told += f"; theirs {theirs!s:.200}" if not their_requests else ""
            _judged(count, f"{service}.{name}: {differ}{told}")
        elif differ is None:
            count.exact += 1
        else:
            count.alike += 1
    return count


def answers_run(judge: Pair, seed: int, each: int, **chosen: Any) -> Count:
    """Compare what becomes of made-up answers of drawn operations, XML among them."""
    count, chance = Count(), random.Random(seed)
    for protocol, service, name in operations(seed, each, **chosen):
        model = judge.shape(service, name)
        if (
            model.output_shape is None
            or not model.output_shape.members
            or model.has_event_stream_output
        ):
            continue
        given = native(model.input_shape, chance, depth=9) if model.input_shape is not None else {}
        reply = answer(service, model, native(model.output_shape, chance, is_answer=True))
        if reply is None:
            continue
        judge.at.says(reply)
        theirs, asked = judge.theirs(service, name, given), len(judge.at.requests)
        judge.at.says(reply)
        ours = judge.ours(service, name, as_json(given))
        if not asked and not judge.at.requests:
            continue
        _noted(count, protocol, service)
        _compare_answers(count, f"{service}.{name}", ours, theirs)
    return count


class JudgedRig(Rig):
    """Rig over moto whose calls boto3 makes, too: it is answered with the bytes that moto has
    answered us.
    """

    def __init__(self, judge: Pair, moto: str, count: Count) -> None:
        super().__init__(judge.jackfield, judge.at.url)
        self.connection = dict(judge.connection)
        self._judge, self._moto, self._count = judge, urlsplit(moto).netloc, count

    def result(self, action: str, *, timeout: float = 120, **inputs: Any) -> Result:
        """Invoke an action, and compare its request and its outcome with boto3's."""
        service, _, key = action.partition("/")
        at, model = self._judge.at, models.service_model(service)
        name = next(one for one in model.operation_names if action_key(one) == key)
        tape: list[Reply] = []

        def forwarded(sent: Sent) -> Reply:
            tape.append(_forwarded(self._moto, sent))
            return tape[-1]

        at.requests, at.reply = [], forwarded
        found = super().result(action, timeout=timeout, **inputs)
        sent = list(at.requests)
        if tape and not inputs.keys() & _OWN:
            self._compare(service, name, inputs, (found.to_json(), sent, tape))
        return found

    def _compare(
        self,
        service: str,
        name: str,
        inputs: Mapping[str, Any],
        ours: tuple[Any, list[Sent], list[Reply]],
    ) -> None:
        result, sent, tape = ours
        shape = self._judge.shape(service, name).input_shape
        self._judge.at.says(tape[-1])
        theirs = self._judge.theirs(
            service, name, as_python(shape, inputs) if shape is not None else {}
        )
        _noted(self._count, protocol_of(service), service)
        asked = requests_differ(sent[-1:], self._judge.at.requests)
        differ = [f"request: {asked}"] if asked else []
        differ += answers_differ(
            result,
            theirs,
            frozenset(f"/{one}Json" for one in JSON_OUTPUTS.get((service, name), ())),
        )
        if not differ:
            self._count.exact += 1
        for one in differ[:3]:
            _judged(self._count, f"{service}.{name}: {one}")


_OWN = frozenset(("fetchAll", "waitUntil", "pageSize"))
"""Inputs of ours that boto3 has no word for in one call."""


def _forwarded(to: str, sent: Sent) -> Reply:
    connection = HTTPConnection(to, timeout=120)
    try:
        fields = {
            name: value
            for name, value in sent.fields.items()
            if name not in ("transfer-encoding", "content-length", "expect", "host")
        }
        connection.request(sent.method, sent.target, sent.body, fields)
        got = connection.getresponse()
        return got.status, dict(got.getheaders()), got.read()
    finally:
        connection.close()


def scenarios_run(judge: Pair, moto: str, services: Iterable[str]) -> Count:
    """Compare all calls of the scenarios of services on moto."""
    count = Count()
    for service in services:
        aws_scenarios.run(JudgedRig(judge, moto, count), service)
    return count


def services_with_scenarios() -> list[str]:
    """Return the services that have a scenario."""
    return aws_scenarios.services()


def reads_run(judge: Pair, moto: str, seed: int, each: int, most: int) -> Count:
    """Compare reads without required inputs: ``each`` of up to ``most`` services that moto knows,
    drawn by ``seed``.
    """
    count, chance, asked = Count(), random.Random(seed), 0
    known = {name.replace("-", "") for name, _ in backend_url_patterns}
    services = [
        one for one in models.services() if one.replace("-", "") in known and one not in _UNFIT
    ]
    chance.shuffle(services)
    for service in services:
        rig, names = JudgedRig(judge, moto, count), [*models.operations(service)]
        chance.shuffle(names)
        found = 0
        for name in names:
            about = describe(service, name, texts=False)
            if about.effect == "read" and not set(about.inputs.get("required", ())) - {"awsRegion"}:
                rig.result(f"{service}/{action_key(name)}", timeout=20)
                found += 1
            if found == each:
                break
        asked += found > 0
        if asked == most:
            break
    return count


_UNFIT = frozenset(("bedrock-runtime", "cloudformation"))
"""Services that moto has too little of, or that are slow."""


def waiters_run(services: Iterable[str], seed: int, each: int) -> Count:
    """Compare the verdicts of all waiters of services on made-up answers with those of botocore's
    own matchers.
    """
    count, chance = Count(), random.Random(seed)
    for service in services:
        model = models.service_model(service)
        for key, config in models.waiters(service).items():
            botocores, ours = SingleWaiterConfig(config), waiter_of(service, key, config)
            shape = model.operation_model(config["operation"]).output_shape
            states = [
                one
                for acceptor in config["acceptors"]
                for one in [acceptor["expected"]]
                if isinstance(one, str)
            ]
            for _ in range(each):
                _noted(count, protocol_of(service), service)
                seen = _seen(shape, states, config["acceptors"], chance)
                expected = _botocores(botocores, seen)
                if _ours(ours, seen) == expected:
                    count.exact += 1
                else:
                    count.different.append(
                        f"{service} {key}: {_ours(ours, seen)} != {expected} of {str(seen)[:200]}"
                    )
    return count


def _seen(shape: Any, states: list[str], acceptors: Any, chance: random.Random) -> dict[str, Any]:
    """Make up an answer, or an error, that an acceptor may know."""
    if chance.random() < 0.25:
        codes = [one["expected"] for one in acceptors if one["matcher"] == "error"] or ["Other"]
        return {
            "Error": {"Code": chance.choice([*map(str, codes), "Other"]), "Message": ""},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }
    status = chance.choice(
        [one["expected"] for one in acceptors if one["matcher"] == "status"] or [200]
    )
    found = (
        _stated(native(shape, chance, is_answer=True), states, chance) if shape is not None else {}
    )
    return {**found, "ResponseMetadata": {"HTTPStatusCode": status}}


def _stated(value: Any, states: list[str], chance: random.Random) -> Any:
    """Return a value whose texts are states of a waiter, often all the same one."""
    fixed = chance.choice(states) if states and chance.random() < 0.6 else None
    return _put(
        value,
        lambda old: old if not states or chance.random() < 0.2 else fixed or chance.choice(states),
    )


def _put(value: Any, made: Any) -> Any:
    if isinstance(value, dict):
        return {name: _put(item, made) for name, item in value.items()}
    if isinstance(value, list):
        return [_put(item, made) for item in value]
    return made(value) if isinstance(value, str) else value


def _botocores(config: Any, seen: Mapping[str, Any]) -> str:
    try:
        state = next(
            (acceptor.state for acceptor in config.acceptors if acceptor.matcher_func(seen)), None
        )
    except JMESPathError:
        return "unreadable"
    return state if state is not None else ("raised" if "Error" in seen else "retry")


def _ours(waiter: Any, seen: Mapping[str, Any]) -> str:
    try:
        reached = waiter.has_reached(seen)
    except JobFailed:
        return "failure"
    except JMESPathError:
        return "unreadable"
    return "raised" if reached is None else "success" if reached else "retry"


def _noted(count: Count, protocol: str, service: str) -> None:
    count.calls += 1
    count.services.add(service)
    count.protocols[protocol] = count.protocols.get(protocol, 0) + 1


def _compare_answers(count: Count, name: str, ours: Mapping[str, Any], theirs: Any) -> None:
    differ = answers_differ(ours, theirs)
    if not differ:
        count.exact += 1
    else:
        for one in differ[:3]:
            _judged(count, f"{name}: {one}")


def _judged(count: Count, line: str) -> None:
    reason = next((reason for pattern, reason in REASONS if re.search(pattern, line)), None)
    if reason is None:
        count.different.append(line)
    else:
        count.explained.append(f"{line[:200]} ({reason})")
