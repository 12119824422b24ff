"""A frontend of Temporal, as far as a worker of activities asks it: it hands out activities and retries them by Temporal's rules.

Temporal's own test server is downloaded by its SDK, and is not in the package index. The worker and what goes over the wire are real.
"""

from __future__ import annotations

import json
import queue
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import ActivityType, Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.workflowservice import v1 as api

MOST = 3


class Frontend(grpc.GenericRpcHandler):
    """The service; ``address`` is where it listens."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[str, int]] = queue.Queue()
        self.taken: dict[str, int] = {}
        self.ends: dict[str, Future[Any]] = {}
        self._server = grpc.server(ThreadPoolExecutor(20))
        self._server.add_generic_rpc_handlers((self,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        """Answer nobody any more."""
        self._server.stop(None).wait()

    def begin(self, order: str) -> Future[Any]:
        """Schedule the activity of an order, and return its end."""
        self.ends[order] = Future()
        self._waiting.put((order, 1))
        return self.ends[order]

    def lost(self, order: str) -> None:
        """Tell that the try of an activity has timed out: its worker is gone."""
        self._waiting.put((order, self.taken[order] + 1))

    def service(self, details: Any) -> Any:
        """Return the method that a request names."""
        name = details.method.rpartition("/")[2]
        method = getattr(self, f"_{name}", None)
        if method is None:
            return None
        reader = getattr(api, f"{name}Request").FromString
        writer = getattr(api, f"{name}Response").SerializeToString
        return grpc.unary_unary_rpc_method_handler(lambda asked, _: method(asked), reader, writer)

    def _GetSystemInfo(self, _asked: Any) -> Any:
        return api.GetSystemInfoResponse()

    def _DescribeNamespace(self, _asked: Any) -> Any:
        return api.DescribeNamespaceResponse()

    def _PollActivityTaskQueue(self, _asked: Any) -> Any:
        try:
            order, attempt = self._waiting.get(timeout=1)
        except queue.Empty:
            return api.PollActivityTaskQueueResponse()
        self.taken[order] = attempt
        given = [Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(one).encode()) for one in (order, 5)]
        return api.PollActivityTaskQueueResponse(
            task_token=order.encode(), activity_id="1", activity_type=ActivityType(name="pay"), attempt=attempt,
            input=Payloads(payloads=given), start_to_close_timeout=Duration(seconds=600), workflow_namespace="default",
            workflow_execution=WorkflowExecution(workflow_id="w", run_id=f"run-{order}"), workflow_type=WorkflowType(name="checkout"),
        )  # fmt: skip

    def _RespondActivityTaskCompleted(self, asked: Any) -> Any:
        self.ends[asked.task_token.decode()].set_result(json.loads(asked.result.payloads[0].data))
        return api.RespondActivityTaskCompletedResponse()

    def _RespondActivityTaskFailed(self, asked: Any) -> Any:
        order, failure = asked.task_token.decode(), asked.failure
        if failure.application_failure_info.non_retryable or self.taken[order] == MOST:
            self.ends[order].set_exception(RuntimeError(f"{failure.application_failure_info.type}: {failure.message}"))
        else:
            self._waiting.put((order, self.taken[order] + 1))
        return api.RespondActivityTaskFailedResponse()
