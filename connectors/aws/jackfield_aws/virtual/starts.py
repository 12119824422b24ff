"""Operations that start an object described by another operation: with ``waitUntil`` they are jobs.
One row each.
"""

from __future__ import annotations

from collections.abc import Mapping

from jackfield.kernel.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Start:
    """Job started by an operation.

    - ``waiter``: name of the waiter that detects its end.
    - ``given``: inputs of the waiter's operation, as JMESPath over inputs and response of the
      starting operation.
    - ``cancel``: operation that cancels it, and its inputs by JMESPath; None if the job cannot be
      cancelled.
    """

    waiter: str
    given: Mapping[str, str]
    cancel: tuple[str, Mapping[str, str]] | None = None


def _same(waiter: str, cancel: str | None = None, **given: str) -> Start:
    """Return a job whose cancelling operation has the same inputs as its waiter's operation."""
    return Start(waiter, given, None if cancel is None else (cancel, given))


STARTS: Mapping[tuple[str, str], Start] = {
    ("athena", "StartQueryExecution"): _same(
        "QuerySucceeded", "StopQueryExecution", QueryExecutionId="QueryExecutionId"
    ),
    ("batch", "SubmitJob"): Start(
        "JobSucceeded",
        {"jobs": "[jobId]"},
        ("TerminateJob", {"jobId": "jobId", "reason": "'cancelled by the caller'"}),
    ),
    ("bedrock", "CreateModelInvocationJob"): _same(
        "ModelInvocationJobCompleted", "StopModelInvocationJob", jobIdentifier="jobArn"
    ),
    ("cloudformation", "CreateChangeSet"): _same("ChangeSetCreateComplete", ChangeSetName="Id"),
    ("cloudformation", "CreateStack"): _same("StackCreateComplete", StackName="StackId"),
    ("cloudformation", "DeleteStack"): _same("StackDeleteComplete", StackName="StackName"),
    ("cloudformation", "UpdateStack"): _same(
        "StackUpdateComplete", "CancelUpdateStack", StackName="StackId"
    ),
    ("cloudfront", "CreateInvalidation"): _same(
        "InvalidationCompleted", DistributionId="DistributionId", Id="Invalidation.Id"
    ),
    ("codebuild", "StartBuild"): Start(
        "BuildSucceeded", {"ids": "[build.id]"}, ("StopBuild", {"id": "build.id"})
    ),
    ("codedeploy", "CreateDeployment"): _same(
        "DeploymentSuccessful", "StopDeployment", deploymentId="deploymentId"
    ),
    ("dynamodb", "CreateTable"): _same("TableExists", TableName="TableName"),
    ("dynamodb", "DeleteTable"): _same("TableNotExists", TableName="TableName"),
    ("dynamodb", "ExportTableToPointInTime"): _same(
        "ExportCompleted", ExportArn="ExportDescription.ExportArn"
    ),
    ("dynamodb", "ImportTable"): _same(
        "ImportCompleted", ImportArn="ImportTableDescription.ImportArn"
    ),
    ("ec2", "CreateImage"): _same("ImageAvailable", ImageIds="[ImageId]"),
    ("ec2", "CreateSnapshot"): _same("SnapshotCompleted", SnapshotIds="[SnapshotId]"),
    ("ec2", "CreateVolume"): _same("VolumeAvailable", VolumeIds="[VolumeId]"),
    ("ec2", "RunInstances"): _same("InstanceRunning", InstanceIds="Instances[].InstanceId"),
    ("ec2", "StartInstances"): _same("InstanceRunning", InstanceIds="InstanceIds"),
    ("ec2", "StopInstances"): _same("InstanceStopped", InstanceIds="InstanceIds"),
    ("ec2", "TerminateInstances"): _same("InstanceTerminated", InstanceIds="InstanceIds"),
    ("ecs", "RunTask"): Start(
        "TasksStopped",
        {"cluster": "tasks[0].clusterArn", "tasks": "tasks[].taskArn"},
        ("StopTask", {"cluster": "tasks[0].clusterArn", "task": "tasks[0].taskArn"}),
    ),
    ("eks", "CreateCluster"): _same("ClusterActive", name="cluster.name"),
    ("eks", "DeleteCluster"): _same("ClusterDeleted", name="name"),
    ("emr-serverless", "StartJobRun"): _same(
        "JobRunSucceeded", "CancelJobRun", applicationId="applicationId", jobRunId="jobRunId"
    ),
    ("glue", "StartJobRun"): Start(
        "JobRunSucceeded",
        {"JobName": "JobName", "RunId": "JobRunId"},
        ("BatchStopJobRun", {"JobName": "JobName", "JobRunIds": "[JobRunId]"}),
    ),
    ("lambda", "CreateFunction"): _same("FunctionActiveV2", FunctionName="FunctionName"),
    ("lambda", "UpdateFunctionCode"): _same("FunctionUpdatedV2", FunctionName="FunctionName"),
    ("logs", "StartQuery"): _same("QueryComplete", "StopQuery", queryId="queryId"),
    ("mediaconvert", "CreateJob"): _same("JobComplete", "CancelJob", Id="Job.Id"),
    ("rds", "CreateDBInstance"): _same(
        "DBInstanceAvailable", DBInstanceIdentifier="DBInstance.DBInstanceIdentifier"
    ),
    ("rds", "CreateDBSnapshot"): _same(
        "DBSnapshotAvailable", DBSnapshotIdentifier="DBSnapshot.DBSnapshotIdentifier"
    ),
    ("rds", "DeleteDBInstance"): _same(
        "DBInstanceDeleted", DBInstanceIdentifier="DBInstance.DBInstanceIdentifier"
    ),
    ("redshift-data", "ExecuteStatement"): _same("StatementFinished", "CancelStatement", Id="Id"),
    ("sagemaker", "CreateProcessingJob"): _same(
        "ProcessingJobCompletedOrStopped",
        "StopProcessingJob",
        ProcessingJobName="ProcessingJobName",
    ),
    ("sagemaker", "CreateTrainingJob"): _same(
        "TrainingJobCompletedOrStopped", "StopTrainingJob", TrainingJobName="TrainingJobName"
    ),
    ("sagemaker", "CreateTransformJob"): _same(
        "TransformJobCompletedOrStopped", "StopTransformJob", TransformJobName="TransformJobName"
    ),
    ("ssm", "StartAutomationExecution"): _same(
        "AutomationExecutionSucceeded",
        "StopAutomationExecution",
        AutomationExecutionId="AutomationExecutionId",
    ),
    ("stepfunctions", "StartExecution"): _same(
        "ExecutionSucceeded", "StopExecution", executionArn="executionArn"
    ),
    ("transcribe", "StartTranscriptionJob"): _same(
        "TranscriptionJobCompleted", TranscriptionJobName="TranscriptionJobName"
    ),
}
"""Jobs by service and starting operation."""
