"""Waiters that botocore's models lack, in their form (``waiters-2.json``), and the places of
reasons in responses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def _states(operation: str, place: str, done: str, failed: str, delay: int) -> Json:
    """Return a waiter that reads one member of a response every ``delay`` seconds."""
    ends = [
        *((state, "success") for state in done.split()),
        *((state, "failure") for state in failed.split()),
    ]
    acceptors = [
        {"matcher": "path", "argument": place, "expected": expected, "state": state}
        for expected, state in ends
    ]
    return {
        "operation": operation,
        "delay": delay,
        "maxAttempts": 3600 // delay,
        "acceptors": acceptors,
    }


OWN: Mapping[str, Mapping[str, Json]] = {
    "athena": {
        "QuerySucceeded": _states(
            "GetQueryExecution", "QueryExecution.Status.State", "SUCCEEDED", "FAILED CANCELLED", 2
        )
    },
    "batch": {"JobSucceeded": _states("DescribeJobs", "jobs[0].status", "SUCCEEDED", "FAILED", 15)},
    "bedrock": {
        "ModelInvocationJobCompleted": _states(
            "GetModelInvocationJob",
            "status",
            "Completed PartiallyCompleted",
            "Failed Stopped Expired",
            60,
        )
    },
    "codebuild": {
        "BuildSucceeded": _states(
            "BatchGetBuilds",
            "builds[0].buildStatus",
            "SUCCEEDED",
            "FAILED FAULT TIMED_OUT STOPPED",
            10,
        )
    },
    "emr-serverless": {
        "JobRunSucceeded": _states("GetJobRun", "jobRun.state", "SUCCESS", "FAILED CANCELLED", 15)
    },
    "glue": {
        "JobRunSucceeded": _states(
            "GetJobRun",
            "JobRun.JobRunState",
            "SUCCEEDED",
            "FAILED STOPPED TIMEOUT ERROR EXPIRED",
            30,
        )
    },
    "logs": {
        "QueryComplete": _states(
            "GetQueryResults", "status", "Complete", "Failed Cancelled Timeout", 2
        )
    },
    "mediaconvert": {
        "JobComplete": _states("GetJob", "Job.Status", "COMPLETE", "CANCELED ERROR", 15)
    },
    "redshift-data": {
        "StatementFinished": _states("DescribeStatement", "Status", "FINISHED", "FAILED ABORTED", 2)
    },
    "ssm": {
        "AutomationExecutionSucceeded": _states(
            "GetAutomationExecution",
            "AutomationExecution.AutomationExecutionStatus",
            "Success CompletedWithSuccess",
            "Failed TimedOut Cancelled Rejected CompletedWithFailure",
            10,
        )
    },
    "stepfunctions": {
        "ExecutionSucceeded": _states(
            "DescribeExecution", "status", "SUCCEEDED", "FAILED TIMED_OUT ABORTED", 5
        )
    },
}
"""Waiters by service and name."""

REASONS: Mapping[tuple[str, str], str] = {
    ("athena", "GetQueryExecution"): "QueryExecution.Status.StateChangeReason",
    ("batch", "DescribeJobs"): "jobs[0].statusReason",
    ("bedrock", "GetModelInvocationJob"): "message",
    ("cloudformation", "DescribeStacks"): "Stacks[0].StackStatusReason",
    ("cloudformation", "DescribeChangeSet"): "StatusReason",
    ("emr", "DescribeStep"): "Step.Status.FailureDetails.Message",
    ("emr-serverless", "GetJobRun"): "jobRun.stateDetails",
    ("glue", "GetJobRun"): "JobRun.ErrorMessage",
    ("dynamodb", "DescribeExport"): "ExportDescription.FailureMessage",
    ("dynamodb", "DescribeImport"): "ImportTableDescription.FailureMessage",
    ("mediaconvert", "GetJob"): "Job.ErrorMessage",
    ("redshift-data", "DescribeStatement"): "Error",
    ("sagemaker", "DescribeProcessingJob"): "FailureReason",
    ("sagemaker", "DescribeTrainingJob"): "FailureReason",
    ("sagemaker", "DescribeTransformJob"): "FailureReason",
    ("ssm", "GetAutomationExecution"): "AutomationExecution.FailureMessage",
    ("stepfunctions", "DescribeExecution"): "cause || error",
    ("transcribe", "GetTranscriptionJob"): "TranscriptionJob.FailureReason",
}
"""JMESPath of the reason in an operation's response."""
