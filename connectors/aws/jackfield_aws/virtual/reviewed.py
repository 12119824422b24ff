"""Reviewed effects of operations that set, change, reset, revoke, end or begin something: which may
be repeated, and why. Each was checked by its name and, in case of doubt, in its service's API
reference. A missing operation is a ``write``, also one of a newer botocore.
"""

from __future__ import annotations

from collections.abc import Mapping

VERBS = frozenset(
    [
        "Activate",
        "Change",
        "Purge",
        "Put",
        "Register",
        "Reset",
        "Revoke",
        "Send",
        "Start",
        "Terminate",
    ]
)
"""Ambiguous verbs: an operation is idempotent only if it is listed."""
IDEMPOTENT: Mapping[str, str] = {
    "empties what the request names; once more, the purge may still be in progress": """
sqs: PurgeQueue
""",
    "turns on what the request names": """
cloudformation: ActivateOrganizationsAccess
connect: ActivateEvaluationForm
events: ActivateEventSource
qconnect: ActivateMessageTemplate
route53: ActivateKeySigningKey
ssm-contacts: ActivateContactChannel
workdocs: ActivateUser
""",
    "sets what the request names": """
route53: ChangeCidrCollection ChangeResourceRecordSets ChangeTagsForResource
sqs: ChangeMessageVisibility ChangeMessageVisibilityBatch
""",
    "sets the whole of a setting, policy, rule or document that the request names": """
acm: PutAccountConfiguration
acm-pca: PutPolicy
apigateway: PutGatewayResponse PutIntegration PutIntegrationResponse PutRestApi
apigatewayv2: PutPortalProductSharingPolicy
application-autoscaling: PutScalingPolicy PutScheduledAction
applicationcostprofiler: PutReportDefinition
appsync: PutGraphqlApiEnvironmentVariables
autoscaling: BatchPutScheduledUpdateGroupAction PutAccountSetting PutLifecycleHook PutNotificationConfiguration PutScalingPolicy
  PutScheduledUpdateGroupAction PutWarmPool
backup-gateway: PutMaintenanceStartTime
chime: PutEventsConfiguration PutRetentionSettings
chime-sdk-identity: PutAppInstanceRetentionSettings PutAppInstanceUserExpirationSettings
chime-sdk-messaging: PutChannelExpirationSettings PutChannelMembershipPreferences PutMessagingStreamingConfigurations
chime-sdk-voice: PutSipMediaApplicationAlexaSkillConfiguration PutSipMediaApplicationLoggingConfiguration
  PutVoiceConnectorEmergencyCallingConfiguration PutVoiceConnectorLoggingConfiguration PutVoiceConnectorOrigination
  PutVoiceConnectorProxy PutVoiceConnectorStreamingConfiguration PutVoiceConnectorTermination
  PutVoiceConnectorTerminationCredentials
clouddirectory: PutSchemaFromJson
cloudfront: PutResourcePolicy
cloudhsmv2: PutResourcePolicy
cloudwatch: PutAlarmMuteRule PutAnomalyDetector PutCompositeAlarm PutDashboard PutInsightRule PutLogAlarm PutManagedInsightRules
  PutMetricAlarm PutMetricStream
codeartifact: PutDomainPermissionsPolicy PutPackageOriginConfiguration PutRepositoryPermissionsPolicy
codebuild: PutResourcePolicy
codecommit: PutCommentReaction PutRepositoryTriggers
codeguru-reviewer: PutRecommendationFeedback
codepipeline: PutWebhook
comprehend: PutResourcePolicy
compute-optimizer: PutRecommendationPreferences
config: PutAggregationAuthorization PutConfigRule PutConfigurationAggregator PutConfigurationRecorder PutConformancePack
  PutConnector PutDeliveryChannel PutEvaluations PutExternalEvaluation PutOrganizationConfigRule PutOrganizationConformancePack
  PutRemediationConfigurations PutRemediationExceptions PutResourceConfig PutRetentionConfiguration
  PutServiceLinkedConfigurationRecorder PutStoredQuery PutThirdPartyServiceLinkedConfigurationRecorder
connect: PutUserStatus
connectcases: PutCaseEventConfiguration
customer-profiles: PutDomainObjectType PutIntegration PutProfileObjectType
datapipeline: PutPipelineDefinition
devops-guru: PutFeedback
drs: PutLaunchAction
dynamodb: PutItem PutResourcePolicy
ebs: PutSnapshotBlock
ecr: PutAccountSetting PutImageScanningConfiguration PutImageTagMutability PutLifecyclePolicy PutRegistryPolicy
  PutRegistryScanningConfiguration PutReplicationConfiguration PutSigningConfiguration
ecr-public: PutRegistryCatalogData PutRepositoryCatalogData
ecs: PutAccountSetting PutAccountSettingDefault PutAttributes PutClusterCapacityProviders
efs: PutAccountPreferences PutBackupPolicy PutFileSystemPolicy PutLifecycleConfiguration
emr: PutAutoScalingPolicy PutAutoTerminationPolicy PutBlockPublicAccessConfiguration PutManagedScalingPolicy
events: PutPermission PutRule PutTargets
fms: PutAdminAccount PutAppsList PutNotificationChannel PutPolicy PutProtocolsList PutResourceSet
frauddetector: PutDetector PutEntityType PutEventType PutExternalModel PutKMSEncryptionKey PutLabel PutOutcome
gamelift: PutScalingPolicy
glue: BatchPutDataQualityStatisticAnnotation PutDataCatalogEncryptionSettings PutDataQualityProfileAnnotation PutResourcePolicy
  PutWorkflowRunProperties
iam: PutAccountProperties PutGroupPolicy PutRolePermissionsBoundary PutRolePolicy PutUserPermissionsBoundary PutUserPolicy
imagebuilder: PutComponentPolicy PutContainerRecipePolicy PutImagePolicy PutImageRecipePolicy
iot: PutVerificationStateOnViolation
iot-managed-integrations: PutDefaultEncryptionConfiguration
iotfleetwise: PutEncryptionConfiguration
iotsitewise: BatchPutAssetPropertyValue PutDefaultEncryptionConfiguration PutLoggingOptions PutStorageConfiguration
iottwinmaker: BatchPutPropertyValues
iotwireless: PutPositionConfiguration PutResourceLogLevel
kafka: PutClusterPolicy
kendra: BatchPutDocument PutPrincipalMapping
kinesis: PutResourcePolicy
kms: PutKeyPolicy
lakeformation: PutDataLakeSettings
lambda: PutFunctionCodeSigningConfig PutFunctionConcurrency PutFunctionEventInvokeConfig PutFunctionRecursionConfig
  PutFunctionScalingConfig PutRuntimeManagementConfig
lightsail: PutAlarm PutInstancePublicPorts
location: BatchPutGeofence PutGeofence
logs: PutAccountPolicy PutBearerTokenAuthentication PutDataProtectionPolicy PutDeliveryDestination PutDeliveryDestinationPolicy
  PutDeliverySource PutDestination PutDestinationPolicy PutIndexPolicy PutIntegration PutLogGroupDeletionProtection
  PutMetricFilter PutResourcePolicy PutRetentionPolicy PutStorageTierPolicy PutSubscriptionFilter PutSyslogConfiguration
  PutTransformer
macie2: PutClassificationExportConfiguration
marketplace-catalog: PutResourcePolicy
mediaconvert: PutPolicy
mediastore: PutContainerPolicy PutCorsPolicy PutLifecyclePolicy PutMetricPolicy
mediastore-data: PutObject
mgh: PutResourceAttributes
mgn: PutSourceServerAction PutTemplateAction
migrationhubstrategy: PutPortfolioPreferences
network-firewall: PutResourcePolicy
networkmanager: PutResourcePolicy
oam: PutSinkPolicy
observabilityadmin: PutConnectorTelemetryManifest
omics: PutS3AccessPolicy
opensearch: PutDefaultApplicationSetting
organizations: PutResourcePolicy
partnercentral-account: PutAllianceLeadContact PutProfileVisibility
personalize-events: PutActions PutItems PutUsers
pinpoint: PutEventStream
pinpoint-email: PutAccountDedicatedIpWarmupAttributes PutAccountSendingAttributes PutConfigurationSetDeliveryOptions
  PutConfigurationSetReputationOptions PutConfigurationSetSendingOptions PutConfigurationSetTrackingOptions PutDedicatedIpInPool
  PutDedicatedIpWarmupAttributes PutDeliverabilityDashboardOption PutEmailIdentityDkimAttributes
  PutEmailIdentityFeedbackAttributes PutEmailIdentityMailFromAttributes
pinpoint-sms-voice-v2: PutKeyword PutMessageFeedback PutOptedOutNumber PutRegistrationFieldValue PutResourcePolicy
polly: PutLexicon
qbusiness: BatchPutDocument PutFeedback
quicksight: PutDataSetRefreshProperties
redshift: PutResourcePolicy
redshift-serverless: PutResourcePolicy
resiliencehub: PutDraftAppVersionTemplate
resiliencehubv2: PutTestSources
resource-groups: PutGroupConfiguration
rolesanywhere: PutNotificationSettings
route53resolver: PutFirewallRuleGroupPolicy PutResolverQueryLogConfigPolicy PutResolverRulePolicy
s3: PutBucketAbac PutBucketAccelerateConfiguration PutBucketAcl PutBucketAnalyticsConfiguration PutBucketCors PutBucketEncryption
  PutBucketIntelligentTieringConfiguration PutBucketInventoryConfiguration PutBucketLifecycle PutBucketLifecycleConfiguration
  PutBucketLogging PutBucketMetricsConfiguration PutBucketNotification PutBucketNotificationConfiguration
  PutBucketOwnershipControls PutBucketPolicy PutBucketReplication PutBucketRequestPayment PutBucketTagging PutBucketVersioning
  PutBucketWebsite PutObject PutObjectAcl PutObjectAnnotation PutObjectLegalHold PutObjectLockConfiguration PutObjectRetention
  PutObjectTagging PutPublicAccessBlock
s3control: PutAccessGrantsInstanceResourcePolicy PutAccessPointConfigurationForObjectLambda PutAccessPointPolicy
  PutAccessPointPolicyForObjectLambda PutAccessPointScope PutBucketLifecycleConfiguration PutBucketPolicy PutBucketReplication
  PutBucketTagging PutBucketVersioning PutJobTagging PutPublicAccessBlock PutStorageLensConfiguration
  PutStorageLensConfigurationTagging
s3tables: PutTableBucketMaintenanceConfiguration PutTableMaintenanceConfiguration
sagemaker: PutEndpointPolicy PutModelPackageGroupPolicy
sagemaker-featurestore-runtime: PutRecord
schemas: PutResourcePolicy
sdb: BatchPutAttributes PutAttributes
secretsmanager: PutResourcePolicy
serverlessrepo: PutApplicationPolicy
service-quotas: PutServiceQuotaIncreaseRequestIntoTemplate
servicecatalog-appregistry: PutConfiguration
ses: PutConfigurationSetDeliveryOptions PutIdentityPolicy
sesv2: PutAccountDedicatedIpWarmupAttributes PutAccountPricingAttributes PutAccountSendingAttributes
  PutAccountSuppressionAttributes PutAccountVdmAttributes PutConfigurationSetDeliveryOptions PutConfigurationSetReputationOptions
  PutConfigurationSetSendingOptions PutConfigurationSetSuppressionOptions PutConfigurationSetTrackingOptions
  PutConfigurationSetVdmOptions PutDedicatedIpInPool PutDedicatedIpWarmupAttributes PutDeliverabilityDashboardOption
  PutEmailIdentityConfigurationSetAttributes PutEmailIdentityDkimAttributes PutEmailIdentityDkimSigningAttributes
  PutEmailIdentityFeedbackAttributes PutEmailIdentityMailFromAttributes PutSuppressedDestination PutTenantSuppressionAttributes
sns: PutDataProtectionPolicy
ssm: PutComplianceItems PutInventory
ssm-contacts: PutContactPolicy
ssm-incidents: PutResourcePolicy
ssm-sap: PutResourcePermission
sso-admin: PutInlinePolicyToPermissionSet PutPermissionsBoundaryToPermissionSet
support-app: PutAccountAlias
taxsettings: BatchPutTaxRegistration PutSupplementalTaxRegistration PutTaxInheritance PutTaxRegistration
vpc-lattice: PutAuthPolicy
wafv2: PutLoggingConfiguration PutPermissionPolicy
workmail: PutAccessControlRule PutMobileDeviceAccessOverride
workmailmessageflow: PutRawMessageContent
xray: PutEncryptionConfig PutResourcePolicy
""",
    "sets back to a default": """
apigatewayv2: ResetAuthorizersCache
appflow: ResetConnectorMetadataCache
docdb: ResetDBClusterParameterGroup
ec2: ResetAddressAttribute ResetEbsDefaultKmsKeyId ResetFpgaImageAttribute ResetImageAttribute ResetInstanceAttribute
  ResetNetworkInterfaceAttribute ResetSnapshotAttribute
elasticache: ResetCacheParameterGroup
glue: ResetJobBookmark
greengrass: ResetDeployments
iotwireless: ResetAllResourceLogLevels ResetResourceLogLevel
lightsail: ResetDistributionCache
memorydb: ResetParameterGroup
neptune: ResetDBClusterParameterGroup ResetDBParameterGroup
rds: ResetDBClusterParameterGroup ResetDBParameterGroup
redshift: ResetClusterParameterGroup
rolesanywhere: ResetNotificationSettings
ssm: ResetServiceSetting
""",
    "takes a right away; once more it finds nothing": """
backup: RevokeRestoreAccessBackupVault
cognito-idp: AdminRevokeUserSession RevokeToken RevokeUserSession
ec2: RevokeClientVpnIngress RevokeSecurityGroupEgress RevokeSecurityGroupIngress
elasticache: RevokeCacheSecurityGroupIngress
es: RevokeVpcEndpointAccess
ivs-realtime: RevokeConnectionToken
kms: RevokeGrant
lakeformation: BatchRevokePermissions RevokePermissions
opensearch: RevokeVpcEndpointAccess
rds: RevokeDBSecurityGroupIngress
redshift: RevokeClusterSecurityGroupIngress RevokeEndpointAccess RevokeSnapshotAccess
signer: RevokeSignature RevokeSigningProfile
workspaces: RevokeIpRules
""",
    "begins a query that changes nothing": """
logs: StartQuery
""",
    "ends for good what the request names": """
athena: TerminateSession
batch: TerminateJob TerminateJobs TerminateServiceJob TerminateServiceJobs
drs: TerminateRecoveryInstances
ec2: TerminateClientVpnConnections TerminateInstances
elasticbeanstalk: TerminateEnvironment
emr: TerminateJobFlows TerminateSession
gamelift: TerminateGameSession
mgn: TerminateTargetInstances
ssm: TerminateSession
swf: TerminateWorkflowExecution
workspaces: TerminateWorkspaces TerminateWorkspacesPool TerminateWorkspacesPoolSession
""",
}
"""Idempotent operations by service, under the reason why a repetition changes nothing."""
WRITES: Mapping[str, str] = {
    "appends, or acts anew each time": """
autoscaling: DetachInstances EnterStandby TerminateInstanceInAutoScalingGroup
bedrock-agentcore-control: ResetTokenVaultKeyMaterial
controltower: ResetEnabledBaseline ResetEnabledControl ResetLandingZone
customer-profiles: PutProfileObject BatchPutProfileObject
datapipeline: ActivatePipeline
ivs: PutMetadata
lex-runtime: PutSession
lexv2-runtime: PutSession
neptune-graph: ResetGraph
personalize-events: PutActionInteractions
schemas: PutCodeBinding
ssm: PutResourcePolicy
storagegateway: ResetCache
""",
    "returns something new each time": """
chime: ResetPersonalPIN
iam: ResetServiceSpecificCredential
""",
    "is refused when what it makes exists, or was done already": """
acm: RevokeCertificate
acm-pca: RevokeCertificate
apigateway: PutMethod PutMethodResponse
bedrock: PutUseCaseForModelAccess
codedeploy: PutLifecycleEventHookExecutionStatus
connecthealth: ActivateSubscription
dataexchange: RevokeRevision
sesv2: PutAccountDetails
signer: PutSigningProfile
taxsettings: PutTaxExemption
""",
    "uses something that can be used once, or names the old value": """
cognito-idp: ChangePassword
ds: ResetUserPassword
iam: ChangePassword
mgn: ChangeServerLifeCycleState
storagegateway: ActivateGateway
""",
}
"""Operations by service that look repeatable, under the reason why they are not."""


def _operations(table: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    words = " ".join(table.values()).split()
    found, service = set(), ""
    for word in words:
        if word.endswith(":"):
            service = word[:-1]
        else:
            found.add((service, word))
    return frozenset(found)


REPEATED, NOT_REPEATED = _operations(IDEMPOTENT), _operations(WRITES)
"""Pairs of service and operation: repeatable ones, and others."""
