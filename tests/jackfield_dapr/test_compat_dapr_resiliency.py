"""Dapr's Resiliency: the time-out and the retries of an output binding take effect, and no unsafe
request is repeated for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.jackfield_dapr.sidecars import bindings_of, component, sidecar
from tests.jackfield_formats.foreign_files import write

from fake_aws import FakeAws, Fault
from jackfield_dapr.sidecar.resiliency import Limits

REFUSED = Fault(
    do="status", status=429, code="TooManyRequestsException", always=True, operation="SendEmail"
)
BROKEN = Fault(do="status", status=500, code="InternalFailure", always=True, operation="SendEmail")


def resiliency(
    policies: Mapping[str, Any],
    outbound: Mapping[str, Any] | None = None,
    name: str = "outbox",
    **more: Any,
) -> str:
    """A Resiliency document."""
    targets = {"components": {name: {"outbound": outbound}}} if outbound is not None else {}
    about = {"apiVersion": "dapr.io/v1alpha1", "kind": "Resiliency", "metadata": {"name": "r"}}
    return yaml.safe_dump({**about, "spec": {"policies": policies, "targets": targets}, **more})


@pytest.mark.parametrize(("most", "tries"), [(0, 1), (2, 3)])
def test_retries_limit_the_tries(folder: Path, aws: FakeAws, most: int, tries: int) -> None:
    """``maxRetries`` retries follow the first try of a call that was refused, and no more;
    throttled ones count.
    """
    policies = {
        "retries": {"few": {"policy": "constant", "duration": "1ms", "maxRetries": most}},
        "timeouts": {"long": "5m"},
    }
    write(
        folder,
        "a.yaml",
        f"{component()}---\n{resiliency(policies, {'retry': 'few', 'timeout': 'long'})}",
    )
    aws.script([REFUSED])
    with sidecar(folder) as running:
        assert running.send().status == 500
    assert aws.counts["sesv2:SendEmail"] == tries


def test_retries_never_repeat_a_write_in_doubt(folder: Path, aws: FakeAws) -> None:
    """A mail that may have been sent is not sent again, whatever the policy says."""
    write(
        folder,
        "a.yaml",
        f"{component()}---\n{resiliency({'retries': {'many': {'maxRetries': 5}}}, {'retry': 'many'})}",
    )
    aws.script([BROKEN])
    with sidecar(folder) as running:
        reply = running.send()
    assert (reply.status, reply.headers["metadata.code"], aws.counts["sesv2:SendEmail"]) == (
        500,
        "in_doubt",
        1,
    )


def test_the_timeout_is_the_deadline_of_the_call(folder: Path, aws: FakeAws) -> None:
    """A call that is not answered ends at the policy's time-out."""
    write(
        folder,
        "a.yaml",
        f"{component()}---\n{resiliency({'timeouts': {'short': '1s'}}, {'timeout': 'short'})}",
    )
    aws.script([Fault(do="hang", operation="SendEmail")])
    with sidecar(folder) as running:
        reply = running.send()
    assert reply.headers["metadata.code"] == "in_doubt"
    assert "1 s" in reply.message


@pytest.mark.parametrize(
    ("policies", "outbound", "limits"),
    [
        ({"timeouts": {"t": "1m30s"}}, {"timeout": "t"}, Limits(90.0)),
        ({"timeouts": {"t": 1500}}, {"timeout": "t"}, Limits(1.5)),
        ({"timeouts": {"t": "2h"}}, {"timeout": "t"}, Limits(900.0)),
        ({"timeouts": {"t": "0s"}}, {"timeout": "t"}, Limits()),
        ({"retries": {"r": {"maxRetries": -1}}}, {"retry": "r"}, Limits(None, 2**31)),
        ({"retries": {"r": {}}}, {"retry": "r"}, Limits(None, 2**31)),
        (
            {
                "timeouts": {"DefaultTimeoutPolicy": "9s"},
                "retries": {"DefaultRetryPolicy": {"maxRetries": 1}},
            },
            None,
            Limits(9.0, 2),
        ),
        (
            {
                "timeouts": {
                    "DefaultTimeoutPolicy": "9s",
                    "DefaultComponentOutboundTimeoutPolicy": "8s",
                }
            },
            None,
            Limits(8.0),
        ),
        (
            {
                "timeouts": {
                    "DefaultTimeoutPolicy": "9s",
                    "DefaultBindingComponentOutboundTimeoutPolicy": "7s",
                }
            },
            {},
            Limits(7.0),
        ),
        ({"timeouts": {"DefaultAppTimeoutPolicy": "9s"}}, None, Limits()),
        ({"timeouts": {"DefaultTimeoutPolicy": "9s", "t": "3s"}}, {"timeout": "t"}, Limits(3.0)),
    ],
)
def test_policies_as_a_sidecar_finds_them(
    folder: Path, policies: Mapping[str, Any], outbound: Mapping[str, Any] | None, limits: Limits
) -> None:
    """A named policy goes before the default ones, of which the most specific holds; durations are
    those of Go.
    """
    write(folder, "a.yaml", f"{component()}---\n{resiliency(policies, outbound)}")
    found = bindings_of(folder)
    assert not found.problems
    assert found.by_name["outbox"].limits == limits


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (resiliency({"circuitBreakers": {"c": {}}}), "not used: spec.policies.circuitBreakers"),
        (
            resiliency({}, {"retry": "none"}),
            "spec.targets.components.outbox.outbound.retry: no policy is named 'none'",
        ),
        (
            resiliency({"timeouts": {"t": "soon"}}),
            "spec.policies.timeouts.t: must be a duration such as 5s or 1m30s, not 'soon'",
        ),
        (
            resiliency({"retries": {"r": {"maxRetries": "x"}}}),
            "spec.policies.retries.r: must be an object whose 'maxRetries' is a number",
        ),
        (
            resiliency({}, {}, name="other"),
            "not used: no output binding of this application is named 'other'",
        ),
    ],
)
def test_what_a_policy_does_not_do_is_told(folder: Path, text: str, says: str) -> None:
    """What has no effect, or cannot be read, is named with its place; the component is served."""
    write(folder, "a.yaml", f"{component()}---\n{text}")
    found = bindings_of(folder)
    assert [*found.by_name] == ["outbox"]
    assert any(says in problem.text and not problem.fatal for problem in found.problems)


def test_policies_of_another_application_are_not_used(folder: Path) -> None:
    """A document with scopes holds for these applications alone."""
    text = resiliency({"timeouts": {"DefaultTimeoutPolicy": "9s"}}, scopes=["billing"])
    write(folder, "a.yaml", f"{component()}---\n{text}")
    assert bindings_of(folder, app_id="other").by_name["outbox"].limits == Limits()
    assert bindings_of(folder, app_id="billing").by_name["outbox"].limits == Limits(9.0)
