"""Times for which AWS's services remember the tokens of requests, by their models."""

from __future__ import annotations

from collections.abc import Mapping

KEPT: Mapping[str, int] = {
    "appflow.CreateConnectorProfile": 28800,
    "appflow.CreateFlow": 28800,
    "appflow.RegisterConnector": 28800,
    "appflow.StartFlow": 28800,
    "appflow.UpdateConnectorProfile": 28800,
    "appflow.UpdateConnectorRegistration": 28800,
    "appflow.UpdateFlow": 28800,
    "batch.UpdateConsumableResource": 28800,
    "cloudcontrol.CreateResource": 129600,
    "cloudcontrol.DeleteResource": 129600,
    "cloudcontrol.UpdateResource": 129600,
    "connect.StartOutboundChatContact": 604800,
    "connect.StartOutboundVoiceContact": 604800,
    "connect.StartWebRTCContact": 604800,
    "continuum.AssociateCollector": 86400,
    "continuum.CreateIntegration": 28800,
    "devops-agent.CreateAgentSpace": 28800,
    "ds-data.AddGroupMember": 28800,
    "ds-data.CreateGroup": 28800,
    "ds-data.CreateUser": 28800,
    "ds-data.DeleteGroup": 28800,
    "ds-data.DeleteUser": 28800,
    "ds-data.DisableUser": 28800,
    "ds-data.RemoveGroupMember": 28800,
    "ds-data.UpdateGroup": 28800,
    "ds-data.UpdateUser": 28800,
    "dynamodb.ExportTableToPointInTime": 28800,
    "dynamodb.ImportTable": 28800,
    "dynamodb.StartBulkPutItems": 28800,
    "dynamodb.TransactWriteItems": 600,
    "eks.CreateCapability": 86400,
    "eks.UpdateCapability": 86400,
    "greengrassv2.CreateComponentVersion": 28800,
    "greengrassv2.CreateDeployment": 28800,
    "iotwireless.CreateWirelessGateway": 600,
    "lambda.CheckpointDurableExecution": 900,
    "lambda.PauseDurableExecution": 900,
    "lambda.ResumeDurableExecution": 900,
    "m2.CreateDataSetExportTask": 3600,
    "m2.CreateDataSetImportTask": 3600,
    "m2.CreateDeployment": 3600,
    "m2.CreateEnvironment": 3600,
    "mediaconvert.CreateJob": 60,
    "odb.CreateCloudExadataInfrastructure": 86400,
    "odb.CreateCloudVmCluster": 86400,
    "odb.CreateExadbVmCluster": 86400,
    "odb.CreateExascaleDbStorageVault": 86400,
    "odb.CreateOdbNetwork": 86400,
    "opensearchmemory.CreateEvent": 7200,
    "opensearchmemory.CreateMemory": 7200,
    "opensearchmemory.CreateSpace": 7200,
    "pca-connector-scep.CreateChallenge": 300,
    "pca-connector-scep.CreateConnector": 300,
    "sagemaker.BatchAddClusterNodes": 28800,
    "sagemaker.CreateClusterExtension": 28800,
    "simpledbv2.StartDomainExport": 28800,
    "stepfunctions.RedriveExecution": 900,
    "supplychain.SendDataIntegrationEvent": 28800,
    "timestream-query.CreateScheduledQuery": 28800,
    "timestream-query.Query": 300,
    "verifiedpermissions.CreateIdentitySource": 28800,
    "verifiedpermissions.CreatePolicy": 28800,
    "verifiedpermissions.CreatePolicyStore": 28800,
    "verifiedpermissions.CreatePolicyTemplate": 28800,
}
"""Seconds by operation: the shortest time that the description of its token, or its own, names for
tokens. Most models name none.
"""


def key_kept(service: str, name: str) -> int | None:
    """Return the seconds for which a service remembers the token of an operation's request; None if
    its model does not say.
    """
    return KEPT.get(f"{service}.{name}")
