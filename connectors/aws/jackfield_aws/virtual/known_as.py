"""Other names of AWS's services: endpoint prefixes, signing names, service IDs and titles of
botocore's models, and common names.

A test compares the table with the models. Names have lower-case letters and digits only.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_TABLE = """
amp: aps prometheusservice
apigatewaymanagementapi: amazonapigatewaymanagementapi executeapi
apigatewayv2: amazonapigatewayv2
appintegrations: appintegrationsservice
application-signals: cloudwatchapplicationsignals
appstream: appstream2
appsync: awsappsync
bcm-dashboards: billingandcostmanagementdashboards
bcm-data-exports: billingandcostmanagementdataexports
bcm-pricing-calculator: billingandcostmanagementpricingcalculator
bcm-recommended-actions: billingandcostmanagementrecommendedactions
bedrock-agent: agentsforamazonbedrock
bedrock-agent-runtime: agentsforamazonbedrockruntime
bedrock-data-automation: dataautomationforamazonbedrock
bedrock-data-automation-runtime: runtimeforamazonbedrockdataautomation
bedrock-runtime: bedrockconverse
billingconductor: awsbillingconductor
budgets: awsbudgets
ce: costexplorer
chime-sdk-identity: identitychime
chime-sdk-media-pipelines: mediapipelineschime
chime-sdk-meetings: meetingschime
chime-sdk-messaging: messagingchime
chime-sdk-voice: voicechime
cleanrooms: cleanroomsservice
cloudcontrol: cloudcontrolapi
cloudtrail-data: cloudtraildataservice
cloudwatch: monitoring
cognito-identity: cognitoidentitypools
cognito-idp: cognito cognitoidentityprovider cognitouserpools
compute-optimizer-automation: acoautomation
config: configservice
connect-contact-lens: contactlens
connectcampaigns: amazonconnectcampaignservice
connectcampaignsv2: amazonconnectcampaignservicev2
connectcases: cases
connecthealth: healthagent
connectparticipant: participant
cur: costandusagereportservice
customer-profiles: profile
databrew: gluedatabrew
deadline: awsdeadlinecloud
devops-agent: aidevops devopsagentservice
discovery: applicationdiscoveryservice
dms: databasemigrationservice
ds: directoryservice
ds-data: directoryservicedata
dsql: auroradsql
dynamodb: dynamo
dynamodbstreams: streams
ecr: containerregistry
efs: elasticfilesystem
elbv2: alb elasticloadbalancing elasticloadbalancingv2 nlb
emr: elasticmapreduce
entityresolution: awsentityresolution
es: elasticsearch elasticsearchservice
eventbridgev2: eventsv2
events: cloudwatchevents eventbridge
firehose: datafirehose kinesisfirehose
forecast: forecastservice
forecastquery: forecastqueryservice
geo-maps: locationservicemapsv2
geo-places: locationserviceplacesv2
geo-routes: locationserviceroutesv2
grafana: managedgrafana
health: awshealth
iam-toolbox: iamtoolboxpreview
internetmonitor: cloudwatchinternetmonitor
iot-data: dataats iotdataplane
iot-jobs-data: iotjobsdataplane
iot-managed-integrations: managedintegrationsforawsiotdevicemanagement
iotdeviceadvisor: awsiotdeviceadvisor
iotsecuretunneling: iotsecuredtunneling
keyspaces: cassandra
keyspacesstreams: cassandrastreams
kinesis-video-signaling: kinesisvideosignalingchannels
lex-models: lexmodelbuildingservice models
lex-runtime: lexruntimeservice
lexv2-models: lexmodelsv2 modelsv2lex
lexv2-runtime: lex lexruntimev2 runtimev2lex
location: geo locationservice
logs: cloudwatchlogs
m2: awsmainframemodernization
marketplace-agreement: agreementmarketplace agreementservice
marketplace-catalog: awsmarketplace catalog marketplace
marketplace-deployment: deploymentmarketplace marketplacedeploymentservice
marketplace-discovery: discoverymarketplace
marketplace-entitlement: entitlement marketplaceentitlementservice
marketplace-reporting: marketplacereportingservice reportingmarketplace
medical-imaging: healthimaging
meteringmarketplace: awsmarketplacemetering marketplacemetering metering
mgh: migrationhub
migration-hub-refactor-spaces: refactorspaces
migrationhubstrategy: migrationhubstrategyrecommendations
mpa: multipartyapproval
mq: amazonmq
mturk: mturkrequester
mwaa: airflow amazonmwaa
mwaa-serverless: airflowserverless amazonmwaaserverless
neptunedata: neptunedb
network-security-manager: networksecuritymanagercustomerapi
networkmonitor: cloudwatchnetworkmonitor
notifications: usernotifications
notificationscontacts: usernotificationscontacts
nova-act: novaactservice
oam: cloudwatchobservabilityaccessmanager
observabilityadmin: cloudwatchobservabilityadminservice
opensearch: opensearchservice
opensearchmemory: osm
opensearchserverless: aoss opensearchserviceserverless
osis: opensearchingestion
partnercentral-account: partnercentralaccountapi
partnercentral-channel: partnercentralchannelapi
partnercentral-revenue-measurement: partnercentral partnercentralprm partnercentralrevenuemeasurementapi
partnercentral-selling: partnercentralsellingapi
payment-cryptography: controlplane paymentcryptographycontrolplane
payment-cryptography-data: dataplane paymentcryptographydataplane
pca-connector-scep: privatecaconnectorforscep
pcs: parallelcomputingservice
pinpoint: mobiletargeting
pipes: eventbridgepipes
rbin: recyclebin
rds-data: rdsdataservice
redshift-data: redshiftdataapiservice
repostspace: repostprivate
resource-explorer-2: resourceexplorer
resourcegroupstaggingapi: tagging
rolesanywhere: iamrolesanywhere
rum: cloudwatchrum
s3: simplestorageservice
sagemaker-a2i-runtime: a2iruntime augmentedairuntime
sagemaker-edge: edge sagemakeredgemanager
sagemaker-featurestore-runtime: featurestoreruntime
sagemaker-geospatial: sagemakergeospatialcapabilities
sagemaker-inference-router-runtime: inferencerouterruntime
sagemaker-metrics: metrics
sagemakerjobruntime: jobruntime sagemakerjobruntimeservice
sagemakertrainingsessionruntime: trainingsessionruntime
savingsplans: awssavingsplans
scheduler: eventbridgescheduler
sdb: simpledb
secretsmanager: secrets
security-ir: securityincidentresponse
serverlessrepo: awsserverlessapplicationrepository serverlessapplicationrepository
servicecatalog-appregistry: appregistry
sesv2: email simpleemailservice
signer-data: datasigner signerdataplane
signin: signinservice
sns: simplenotificationservice
socialmessaging: endusermessagingsocial
sqs: simplequeueservice
ssm: parameterstore systemsmanager
ssm-quicksetup: systemsmanagerquicksetup
sso: awsssoportal portal
sso-oidc: oidc ssooauth
stepfunctions: sfn states stepfunction
supplychain: scn
taxsettings: tax
timestream-query: query timestream
timestream-write: ingest
transcribe: transcribeservice
trustedadvisor: trustedadvisorpublicapi
uxc: userexperiencecustomization
wickr: admin wickradminapi
wisdom: connectwisdomservice
workspaces-thin-client: thinclient
"""
_NAMES = {
    name: service
    for line in _TABLE.split("\n")
    if line
    for service, _, names in [line.partition(":")]
    for name in names.split()
}
_OTHER = re.compile(r"[^a-z0-9]")


def service_called(name: str, services: Collection[str]) -> str | None:
    """Return the service among ``services`` that people or AWS call ``name``; None if no service
    has this name.
    """
    plain = {_OTHER.sub("", service): service for service in services} | _NAMES
    asked = _OTHER.sub("", name.lower())
    found = plain.get(asked) or plain.get(re.sub("^(?:amazon|aws)", "", asked))
    return found if found in services else None
