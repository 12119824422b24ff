"""Operations that hand out credentials: their answer holds a secret, a token, a private key or a URL that lets whoever has it act.

An operator's own surfaces are offered all of AWS without these; each must be offered by name. The table is reviewed by hand, against
AWS's documentation of each operation.
"""

from __future__ import annotations

from collections.abc import Mapping

_TABLE: Mapping[str, str] = {
    "account-access-runtime": "GetRoleCredentials",
    "acm": "ExportCertificate GetAcmeExternalAccountBindingCredentials",
    "amplifybackend": "CreateToken GetToken",
    "amplifyuibuilder": "ExchangeCodeForToken RefreshToken",
    "apigateway": "CreateApiKey GetApiKey GetApiKeys ImportApiKeys",
    "appstream": "CreateAppBlockBuilderStreamingURL CreateImageBuilderStreamingURL CreateStreamingURL",
    "appsync": "CreateApiKey ListApiKeys",
    "athena": "CreatePresignedNotebookUrl",
    "bedrock-agentcore": """GetResourceApiKey GetResourceOauth2Token GetResourcePaymentToken GetWorkloadAccessToken
        GetWorkloadAccessTokenForJWT GetWorkloadAccessTokenForUserId""",
    "chime": "RegenerateSecurityToken",
    "chime-sdk-meetings": "BatchCreateAttendee CreateAttendee CreateMeetingWithAttendees GetAttendee ListAttendees",
    "cloudwatchomni": "GetSpaceCredentialsForOrganization",
    "codeartifact": "GetAuthorizationToken",
    "codecatalyst": "CreateAccessToken StartDevEnvironmentSession",
    "codepipeline": "GetJobDetails GetThirdPartyJobDetails PollForJobs",
    "cognito-identity": "GetCredentialsForIdentity GetOpenIdToken GetOpenIdTokenForDeveloperIdentity",
    "cognito-idp": """AddUserPoolClientSecret AdminInitiateAuth AdminRespondToAuthChallenge AssociateSoftwareToken CreateUserPoolClient
        DescribeUserPoolClient GetClientToken GetDerivedToken GetTokensFromRefreshToken InitiateAuth RespondToAuthChallenge
        UpdateUserPoolClient""",
    "connect": "GetFederationToken",
    "datazone": "GetEnvironmentCredentials GetIamPortalLoginUrl",
    "deadline": """AssumeFleetRoleForRead AssumeFleetRoleForWorker AssumeQueueRoleForRead AssumeQueueRoleForUser
        AssumeQueueRoleForWorker""",
    "ec2": "CreateKeyPair CreateVpnConnection GetPasswordData",
    "ecr": "GetAuthorizationToken",
    "ecr-public": "GetAuthorizationToken",
    "ecs": "ExecuteCommand",
    "eks-auth": "AssumeRoleForPodIdentity",
    "emr": "GetClusterSessionCredentials GetOnClusterAppUIPresignedURL GetPersistentAppUIPresignedURL",
    "emr-containers": "GetManagedEndpointSessionCredentials",
    "gamelift": "GetComputeAccess GetComputeAuthToken GetInstanceAccess RequestUploadCredentials",
    "glue": "GetConnection GetConnections",
    "grafana": "CreateWorkspaceApiKey CreateWorkspaceServiceAccountToken",
    "iam": "CreateAccessKey CreateServiceSpecificCredential CreateVirtualMFADevice ResetServiceSpecificCredential",
    "iot": "CreateKeysAndCertificate CreateProvisioningClaim",
    "iotsecuretunneling": "OpenTunnel RotateTunnelAccessToken",
    "ivs": "BatchGetStreamKey CreateChannel CreateStreamKey GetStreamKey",
    "ivs-realtime": "CreateParticipantToken CreateStage",
    "ivschat": "CreateChatToken",
    "kinesisanalyticsv2": "CreateApplicationPresignedUrl",
    "kms": "Decrypt DeriveSharedSecret GenerateDataKey GenerateDataKeyPair",
    "lakeformation": """AssumeDecoratedRoleWithSAML GetTemporaryDataLocationCredentials GetTemporaryGlueFunctionCredentials
        GetTemporaryGluePartitionCredentials GetTemporaryGlueTableCredentials""",
    "lambda-microvms": "CreateMicrovmAuthToken CreateMicrovmShellAuthToken",
    "license-manager": "CreateToken GetAccessToken",
    "lightsail": """CreateBucketAccessKey CreateKeyPair DownloadDefaultKeyPair GetBucketAccessKeys GetInstanceAccessDetails
        GetRelationalDatabaseMasterUserPassword StartGUISession""",
    "location": "CreateKey DescribeKey",
    "mediapackage": "CreateChannel DescribeChannel ListChannels RotateChannelCredentials RotateIngestEndpointCredentials UpdateChannel",
    "mwaa": "CreateCliToken CreateWebLoginToken",
    "payment-cryptography-data": "DecryptData",
    "pca-connector-scep": "GetChallengePassword",
    "qapps": "CreatePresignedUrl",
    "quicksight": """GenerateEmbedUrlForAnonymousUser GenerateEmbedUrlForRegisteredUser GenerateEmbedUrlForRegisteredUserWithIdentity
        GetDashboardEmbedUrl GetSessionEmbedUrl""",
    "redshift": "GetClusterCredentials GetClusterCredentialsWithIAM GetIdentityCenterAuthToken",
    "redshift-serverless": "GetCredentials GetIdentityCenterAuthToken",
    "route53globalresolver": "CreateAccessToken GetAccessToken",
    "s3": "CreateSession",
    "s3control": "GetDataAccess",
    "sagemaker": """CreateHubContentPresignedUrls CreatePartnerAppPresignedUrl CreatePresignedDomainUrl CreatePresignedMlflowAppUrl
        CreatePresignedMlflowTrackingServerUrl CreatePresignedNotebookInstanceUrl""",
    "secretsmanager": "BatchGetSecretValue GetSecretValue",
    "signin": "CreateBearerToken CreateOAuth2Token CreateOAuth2TokenWithIAM CreateOAuth2TokenWithTokenExchange",
    "ssm": "GetAccessToken GetParameter GetParameterHistory GetParameters GetParametersByPath ResumeSession StartSession",
    "sso": "GetRoleCredentials",
    "sso-oidc": "CreateToken CreateTokenWithIAM RegisterClient StartDeviceAuthorization",
    "sts": """AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot GetDelegatedAccessToken GetFederationToken
        GetSessionToken GetWebIdentityToken""",
    "storagegateway": "DescribeChapCredentials",
    "wafv2": "CreateAPIKey GetDecryptedAPIKey ListAPIKeys",
    "workmail": "AssumeImpersonationRole",
}
"""Operations by service."""
HANDS_OUT: Mapping[str, frozenset[str]] = {service: frozenset(names.split()) for service, names in _TABLE.items()}
"""Operations by service, of services that have any."""
