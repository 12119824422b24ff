"""Operations that hand out credentials: their response has a member whose purpose is to let its
holder act.

That is a secret, a password, a token or a key in clear, a signature, or a link that signs in or
uploads. No pattern offers such an operation, only its full name; rules treat it as a ``write``; and
only its caller sees its output. Data in which people may have put a secret (environment variables,
headers, the content of an object) does not count. Neither does a token that works only together
with the caller's own credentials, such as a page token.

The table is reviewed by hand, against the documentation in AWS's models; if that does not say
whether a password is returned, it counts as returned. ``tests/reviewed_members.txt`` lists the
members with names like credentials that are none.
"""

from __future__ import annotations

from collections.abc import Mapping

_TABLE: Mapping[str, str] = {
    "account-access-runtime": "GetRoleCredentials",
    "acm": "ExportCertificate GetAcmeExternalAccountBindingCredentials",
    "amplify": """
        CreateApp CreateBranch CreateDeployment DeleteApp DeleteBranch GetApp GetBranch ListApps ListBranches UpdateApp UpdateBranch
    """,
    "amplifybackend": "CreateToken GetBackendAuth GetToken",
    "amplifyuibuilder": "ExchangeCodeForToken RefreshToken",
    "apigateway": """
        CreateApiKey CreateUsagePlanKey GetApiKey GetApiKeys GetUsagePlanKey GetUsagePlanKeys ImportApiKeys UpdateApiKey
    """,
    "appstream": """
        CreateAppBlockBuilderStreamingURL CreateDirectoryConfig CreateImageBuilderStreamingURL CreateStreamingURL
        DescribeDirectoryConfigs UpdateDirectoryConfig
    """,
    "appsync": "CreateApiKey ListApiKeys UpdateApiKey",
    "athena": "CreatePresignedNotebookUrl GetSessionEndpoint",
    "auditmanager": "GetEvidenceFileUploadUrl",
    "bedrock-agentcore": """
        GetResourceApiKey GetResourceOauth2Token GetResourcePaymentToken GetWorkloadAccessToken GetWorkloadAccessTokenForJWT
        GetWorkloadAccessTokenForUserId ProcessPayment
    """,
    "chime": "CreateBot GetBot ListBots RegenerateSecurityToken UpdateBot",
    "chime-sdk-meetings": """
        BatchCreateAttendee CreateAttendee CreateMeetingWithAttendees GetAttendee ListAttendees UpdateAttendeeCapabilities
    """,
    "cloudhsmv2": "CreateCluster DeleteCluster DescribeClusters ModifyCluster",
    "cloudwatchomni": "CreateOneTimeDeepLinkCode GetSpaceCredentialsForOrganization GetSpaceDataAccess",
    "codeartifact": "GetAuthorizationToken",
    "codebuild": "BatchGetProjects CreateProject CreateWebhook UpdateProject UpdateWebhook",
    "codecatalyst": "CreateAccessToken StartDevEnvironmentSession",
    "codeguru-security": "CreateUploadUrl",
    "codepipeline": "GetJobDetails GetThirdPartyJobDetails ListWebhooks PollForJobs PutWebhook",
    "cognito-identity": "GetCredentialsForIdentity GetOpenIdToken GetOpenIdTokenForDeveloperIdentity",
    "cognito-idp": """
        AddUserPoolClientSecret AdminInitiateAuth AdminRespondToAuthChallenge AssociateSoftwareToken CreateUserImportJob
        CreateUserPoolClient DescribeUserImportJob DescribeUserPoolClient GetClientToken GetDerivedToken GetTokensFromRefreshToken
        InitiateAuth ListUserImportJobs ListUserPoolClientSecrets RespondToAuthChallenge StartUserImportJob StopUserImportJob
        UpdateUserPoolClient
    """,
    "connect": """
        CreateAuthCode CreateParticipant GetFederationToken StartAssistantContact StartAttachedFileUpload StartChatContact
        StartWebRTCContact
    """,
    "connecthealth": "GetPatientInsightsJob",
    "connectparticipant": "CreateParticipantConnection StartAttachmentUpload",
    "customer-profiles": "GetUploadJobPath",
    "dataexchange": "CreateJob GetAsset GetJob ListJobs ListRevisionAssets UpdateAsset",
    "datasync": "DescribeLocationFsxOntap DescribeLocationFsxOpenZfs",
    "datazone": (
        "CreateConnection GetConnection GetEnvironmentCredentials GetIamPortalLoginUrl "
        "ListConnections UpdateConnection"
    ),
    "deadline": (
        "AssumeFleetRoleForRead AssumeFleetRoleForWorker AssumeQueueRoleForRead "
        "AssumeQueueRoleForUser AssumeQueueRoleForWorker"
    ),
    "devicefarm": "CreateTestGridUrl CreateUpload GetUpload",
    "devops-agent": "AssociateService UpdateAssociation",
    "directconnect": """
        AllocatePrivateVirtualInterface AllocatePublicVirtualInterface AllocateTransitVirtualInterface AssociateVirtualInterface
        CreateBGPPeer CreatePrivateVirtualInterface CreatePublicVirtualInterface CreateTransitVirtualInterface DeleteBGPPeer
        DescribeVirtualInterfaces UpdateVirtualInterfaceAttributes
    """,
    "ds": "DescribeDirectories",
    "ec2": """
        AttachVerifiedAccessTrustProvider CreateKeyPair CreateVerifiedAccessTrustProvider CreateVpnConnection
        DeleteVerifiedAccessTrustProvider DescribeVerifiedAccessTrustProviders DescribeVpnConnections DetachVerifiedAccessTrustProvider
        ExportVerifiedAccessInstanceClientConfiguration GetPasswordData GetVpnConnectionDeviceSampleConfiguration
        ModifyVerifiedAccessTrustProvider ModifyVpnConnection ModifyVpnConnectionOptions ModifyVpnTunnelCertificate
        ModifyVpnTunnelOptions
    """,
    "ecr": "GetAuthorizationToken",
    "ecr-public": "GetAuthorizationToken",
    "ecs": "ExecuteCommand",
    "eks": """
        CreateCluster CreateEksAnywhereSubscription DeleteCluster DeleteEksAnywhereSubscription DeregisterCluster DescribeCluster
        DescribeEksAnywhereSubscription ListEksAnywhereSubscriptions RegisterCluster UpdateEksAnywhereSubscription
    """,
    "eks-auth": "AssumeRoleForPodIdentity",
    "emr": (
        "DescribeCluster GetClusterSessionCredentials GetOnClusterAppUIPresignedURL "
        "GetPersistentAppUIPresignedURL GetSessionEndpoint"
    ),
    "emr-containers": "GetManagedEndpointSessionCredentials",
    "emr-serverless": "GetDashboardForJobRun GetSessionEndpoint",
    "evs": "GetDepotUrl",
    "firehose": "DescribeDeliveryStream",
    "gamelift": (
        "CreateBuild GetComputeAccess GetComputeAuthToken GetInstanceAccess "
        "GetPlayerConnectionDetails RequestUploadCredentials"
    ),
    "gameliftstreams": "CreateStreamSessionAdminShell",
    "glue": (
        "BatchGetJobs GetConnection GetConnections GetDashboardUrl GetJob GetJobs "
        "GetSessionEndpoint"
    ),
    "grafana": """
        AssociateLicense CreateWorkspace CreateWorkspaceApiKey CreateWorkspaceServiceAccountToken DeleteWorkspace DescribeWorkspace
        DisassociateLicense ListWorkspaces UpdateWorkspace
    """,
    "groundstation": "GetAgentTaskResponseUrl",
    "iam": (
        "CreateAccessKey CreateServiceSpecificCredential CreateVirtualMFADevice "
        "ResetServiceSpecificCredential"
    ),
    "interconnect": (
        "AcceptConnectionProposal CreateConnection DeleteConnection GetConnection UpdateConnection"
    ),
    "invoicing": "GetProcurementPortalPreference",
    "iot": "CreateKeysAndCertificate CreateProvisioningClaim GetTopicRule",
    "iot-managed-integrations": "CreateProvisioningProfile",
    "iotsecuretunneling": "OpenTunnel RotateTunnelAccessToken",
    "iotwireless": "AssociateAwsAccountWithPartnerAccount",
    "ivs": (
        "BatchGetChannel BatchGetStreamKey CreateChannel CreateStreamKey GetChannel "
        "GetStreamKey GetStreamSession UpdateChannel"
    ),
    "ivs-realtime": (
        "CreateIngestConfiguration CreateParticipantToken CreateStage GetIngestConfiguration "
        "UpdateIngestConfiguration"
    ),
    "ivschat": "CreateChatToken",
    "kinesis-video-signaling": "GetIceServerConfig",
    "kinesisanalyticsv2": "CreateApplicationPresignedUrl",
    "kms": (
        "Decapsulate Decrypt DeriveSharedSecret Encapsulate GenerateDataKey "
        "GenerateDataKeyPair GenerateMac GenerateRandom Sign"
    ),
    "lakeformation": """
        AssumeDecoratedRoleWithSAML GetTemporaryDataLocationCredentials GetTemporaryGlueFunctionCredentials
        GetTemporaryGluePartitionCredentials GetTemporaryGlueTableCredentials
    """,
    "lambda-microvms": "CreateMicrovmAuthToken CreateMicrovmShellAuthToken",
    "lexv2-models": (
        "CreateUploadUrl DescribeBotRecommendation StartBotRecommendation UpdateBotRecommendation"
    ),
    "license-manager": "CheckoutBorrowLicense CheckoutLicense CreateToken GetAccessToken",
    "lightsail": """
        CreateBucketAccessKey CreateContainerServiceRegistryLogin CreateKeyPair DownloadDefaultKeyPair GetBucketAccessKeys
        GetInstanceAccessDetails GetRelationalDatabase GetRelationalDatabaseMasterUserPassword GetRelationalDatabases StartGUISession
    """,
    "location": "CreateKey DescribeKey",
    "mailmanager": "CreateAddressListImportJob GetAddressListImportJob ListAddressListImportJobs",
    "managedblockchain": "CreateAccessor GetAccessor",
    "marketplace-agreement": "GetAgreementEntitlements",
    "marketplace-reporting": "GetBuyerDashboard",
    "medialive": """
        CreateChannel DeleteChannel DescribeChannel RestartChannelPipelines StartChannel StopChannel UpdateChannel UpdateChannelClass
    """,
    "mediapackage": """
        ConfigureLogs CreateChannel DescribeChannel ListChannels RotateChannelCredentials RotateIngestEndpointCredentials UpdateChannel
    """,
    "mwaa": "CreateCliToken CreateWebLoginToken",
    "mwaa-serverless": "CreateAirflowUiUrl",
    "payment-cryptography": "ExportKey",
    "payment-cryptography-data": "DecryptData GenerateMac GenerateMacEmvPinChange TranslateKeyMaterial",
    "pca-connector-scep": "CreateChallenge GetChallengePassword",
    "pcs": "RegisterComputeNodeGroupInstance",
    "pinpoint": (
        "DeleteBaiduChannel DeleteGcmChannel GetBaiduChannel GetGcmChannel "
        "UpdateBaiduChannel UpdateGcmChannel"
    ),
    "qapps": "CreatePresignedUrl",
    "qbusiness": "CreateAnonymousWebExperienceUrl",
    "quicksight": """
        DescribeAssetBundleImportJob GenerateEmbedUrlForAnonymousUser GenerateEmbedUrlForRegisteredUser
        GenerateEmbedUrlForRegisteredUserWithIdentity GetDashboardEmbedUrl GetSessionEmbedUrl
    """,
    "redshift": "GetClusterCredentials GetClusterCredentialsWithIAM GetIdentityCenterAuthToken",
    "redshift-serverless": "GetCredentials GetIdentityCenterAuthToken",
    "route53domains": "RetrieveDomainAuthCode TransferDomainToAnotherAwsAccount",
    "route53globalresolver": "CreateAccessToken GetAccessToken",
    "s3": "CreateSession PresignGet PresignPost PresignPut",
    "s3control": "GetDataAccess",
    "sagemaker": """
        CreateHubContentPresignedUrls CreatePartnerAppPresignedUrl CreatePresignedDomainUrl CreatePresignedMlflowAppUrl
        CreatePresignedMlflowTrackingServerUrl CreatePresignedNotebookInstanceUrl
    """,
    "secretsmanager": "BatchGetSecretValue GetRandomPassword GetSecretValue",
    "security-ir": "GetCaseAttachmentUploadUrl",
    "securityagent": "UpdateIntegration",
    "signin": (
        "CreateBearerToken CreateOAuth2Token CreateOAuth2TokenWithIAM "
        "CreateOAuth2TokenWithTokenExchange"
    ),
    "snowball": "GetJobManifest GetJobUnlockCode",
    "socialmessaging": "AssociateWhatsAppBusinessAccount",
    "ssm": (
        "CreateActivation GetAccessToken GetParameter GetParameterHistory GetParameters "
        "GetParametersByPath ResumeSession StartSession"
    ),
    "sso": "GetRoleCredentials",
    "sso-oidc": "CreateToken CreateTokenWithIAM RegisterClient StartDeviceAuthorization",
    "storagegateway": "DescribeChapCredentials",
    "sts": """
        AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot GetDelegatedAccessToken GetFederationToken GetSessionToken
        GetWebIdentityToken
    """,
    "support": "GetAttachmentUploadLinks",
    "wafv2": "CreateAPIKey GetDecryptedAPIKey ListAPIKeys",
    "wickr": "GetOidcInfo GetOpentdfConfig RegisterOidcConfig RegisterOpentdfConfig",
    "workdocs": "InitiateDocumentVersionUpload",
    "workmail": "AssumeImpersonationRole",
    "workspaces-thin-client": "CreateEnvironment GetEnvironment ListEnvironments UpdateEnvironment",
}
"""Table of operations by service."""
HANDS_OUT: Mapping[str, frozenset[str]] = {
    service: frozenset(names.split()) for service, names in _TABLE.items()
}
"""Operations that hand out credentials, by service."""
