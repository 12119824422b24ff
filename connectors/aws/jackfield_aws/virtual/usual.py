"""Preferred services and operations, which precede equal search results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_EVERYDAY_NAMES = """
s3 dynamodb sqs sns ec2 lambda iam sts sesv2 ses secretsmanager ssm cloudwatch logs events stepfunctions kms rds ecs ecr eks
route53 cloudformation cloudfront kinesis firehose athena glue apigateway cognito-idp bedrock-runtime acm elbv2 autoscaling
scheduler
"""
EVERYDAY = _EVERYDAY_NAMES.split()
"""Services that most people mean when a query fits several, the most used first."""


_KEYWORDS = """
s3 PutObject: upload object file store save bucket
s3 GetObject: download read object file content bucket
s3 DeleteObject: remove file
s3 ListObjectsV2: list files bucket folder
s3 ListBuckets: show
s3 CreateBucket: new
s3 DeleteBucket: remove
s3 CopyObject: copy move file bucket
s3 HeadObject: check exists size file
s3 PutBucketVersioning: turn enable versioning
s3 PutBucketLifecycleConfiguration: set rules expire files
s3 PutBucketPolicy: allow access public
s3 PutPublicAccessBlock: block public access
s3 PutBucketEncryption: encrypt turn enable
s3 PutBucketCors: allow cors
dynamodb PutItem: add insert write row record table
dynamodb GetItem: read row record table
dynamodb UpdateItem: change row record table
dynamodb DeleteItem: remove row record table
dynamodb Query: table find items
dynamodb Scan: table all items read
dynamodb BatchWriteItem: many rows items
dynamodb ExecuteStatement: partiql sql query
dynamodb CreateTable: new nosql
dynamodb ListTables: show
sqs SendMessage: put queue enqueue
sqs ReceiveMessage: read poll queue
sqs DeleteMessage: acknowledge queue
sqs PurgeQueue: empty clear messages
sqs GetQueueAttributes: count messages length depth settings
sqs CreateQueue: new
sns Publish: send message topic notification sms text push
sns Subscribe: topic email sms endpoint
sns CreateTopic: new
sns ListTopics: show
pinpoint-sms-voice-v2 SendTextMessage: sms
lambda Invoke: function run call execute
lambda ListFunctions: show
lambda CreateFunction: new deploy
lambda UpdateFunctionCode: deploy upload new version
lambda UpdateFunctionConfiguration: change environment variables memory timeout settings
lambda DeleteFunction: remove
lambda PublishVersion: release
kms Encrypt: data text
kms Decrypt: data text
kms CreateKey: encryption
kms GenerateDataKey: encryption
secretsmanager GetSecretValue: read password credential
secretsmanager CreateSecret: store save password credential
secretsmanager PutSecretValue: store update password credential
secretsmanager RotateSecret: change password
secretsmanager ListSecrets: show passwords
ssm GetParameter: read value setting store
ssm PutParameter: write save value setting store
ssm SendCommand: run shell script instance
ssm StartSession: connect instance shell
bedrock-runtime Converse: ask model chat claude llm ai prompt
bedrock-runtime InvokeModel: ask prompt claude llm ai generate text
bedrock ListFoundationModels: ai llm
ec2 RunInstances: launch start create instance server virtual machine
ec2 StartInstances: server virtual machine
ec2 StopInstances: server virtual machine shut
ec2 RebootInstances: restart server
ec2 TerminateInstances: delete server virtual machine
ec2 DescribeInstances: list servers virtual machines
ec2 DescribeVpcs: list networks
ec2 DescribeSubnets: list networks
ec2 DescribeImages: list amis
ec2 DescribeVolumes: list disks
ec2 DescribeSecurityGroups: list firewall
ec2 CreateImage: ami
ec2 CreateVolume: disk
ec2 AttachVolume: disk instance
ec2 CreateSnapshot: take backup volume disk
ec2 CreateVpc: network
ec2 CreateKeyPair: ssh
ec2 CreateSecurityGroup: firewall
ec2 AuthorizeSecurityGroupIngress: open port allow firewall rule inbound
ec2 RevokeSecurityGroupIngress: close port block firewall rule inbound
ec2 AllocateAddress: elastic ip public
ec2 AssociateAddress: elastic ip assign instance
ec2 CreateTags: tag label resource
ec2 ModifyInstanceAttribute: change resize type
logs FilterLogEvents: search find read logs
logs GetLogEvents: read
logs StartQuery: search insights logs
logs DescribeLogGroups: list
logs PutRetentionPolicy: set keep logs days expire
logs PutLogEvents: write
cloudwatch PutMetricAlarm: create alarm alert
cloudwatch DescribeAlarms: list show
cloudwatch PutMetricData: put send publish custom metric value
cloudwatch GetMetricStatistics: read metric usage cpu memory graph
cloudwatch GetMetricData: read metric usage cpu graph
cloudwatch PutDashboard: create
sts GetCallerIdentity: account whoami identity
sts AssumeRole: switch
iam CreateUser: new account
iam AttachRolePolicy: add permission
iam AttachUserPolicy: add permission
iam CreateAccessKey: credential rotate
iam UpdateAccessKey: rotate deactivate disable activate
iam DeleteAccessKey: remove revoke
iam AddUserToGroup: member
iam ListUsers: show
iam SimulatePrincipalPolicy: check permission test
stepfunctions StartExecution: run state machine workflow
stepfunctions DescribeExecution: status state machine workflow check
stepfunctions StopExecution: cancel workflow state machine
events PutEvents: send emit custom publish event bus
events PutRule: create schedule cron
scheduler CreateSchedule: cron timer recurring
rds CreateDBInstance: database postgres mysql new
rds DescribeDBInstances: list databases
rds RebootDBInstance: restart database
rds StartDBInstance: database
rds StopDBInstance: database
rds DeleteDBInstance: database remove
rds ModifyDBInstance: change resize database
rds CreateDBSnapshot: backup back up database
rds RestoreDBInstanceFromDBSnapshot: database backup
rds-data ExecuteStatement: run sql query aurora
redshift-data ExecuteStatement: run sql query
athena StartQueryExecution: run sql query
athena GetQueryResults: read sql query rows
route53 ChangeResourceRecordSets: add create update dns record
route53 ListResourceRecordSets: show dns records
route53 ListHostedZones: dns
route53 CreateHostedZone: dns
route53domains RegisterDomain: buy name
route53domains CheckDomainAvailability: available free name
cloudfront CreateInvalidation: clear purge cache cdn
cloudfront ListDistributions: cdn
cloudfront CreateDistribution: cdn
acm RequestCertificate: ssl tls https
acm ListCertificates: ssl tls
ecs RunTask: start container docker
ecs UpdateService: restart redeploy scale deploy
ecs ListServices: containers
ecs ListClusters: containers
ecs DescribeTasks: status container
ecs RegisterTaskDefinition: container
eks ListClusters: kubernetes
eks CreateCluster: kubernetes
ecr CreateRepository: docker container image
ecr ListImages: docker container
ecr DescribeImages: docker container list tags
cloudformation CreateStack: deploy template infrastructure
cloudformation UpdateStack: deploy change template
cloudformation DeleteStack: remove
cloudformation DescribeStacks: list status
cloudformation ListStacks: show
ce GetCostAndUsage: how much spend spending bill expenses month aws account
ce GetCostForecast: predict bill spending
budgets CreateBudget: spending limit
budgets DescribeBudgets: list
translate TranslateText: language
polly SynthesizeSpeech: text speech voice audio read aloud
transcribe StartTranscriptionJob: audio speech text video
textract DetectDocumentText: extract read ocr scan pdf image
textract AnalyzeDocument: extract read ocr form table scan
rekognition DetectFaces: recognize photo picture image
rekognition DetectLabels: photo picture image objects recognize
rekognition DetectText: photo picture image ocr
rekognition CompareFaces: recognize photo picture image
rekognition DetectModerationLabels: photo picture image unsafe
comprehend DetectSentiment: text mood opinion
comprehend DetectEntities: text names
comprehend DetectDominantLanguage: text
kinesis PutRecord: send stream event
kinesis PutRecords: send stream events
kinesis GetRecords: read stream
firehose PutRecord: send stream
cognito-idp AdminCreateUser: new account pool
cognito-idp SignUp: register new account user pool
cognito-idp ListUsers: accounts pool
cognito-idp AdminSetUserPassword: change reset
cognito-idp AdminResetUserPassword: forgot
cognito-idp AdminDisableUser: block account
glue StartJobRun: run etl
glue StartCrawler: run
codebuild StartBuild: run ci
codepipeline StartPipelineExecution: run pipeline release
elasticache CreateCacheCluster: redis memcached
elasticache CreateReplicationGroup: redis cluster
elbv2 DescribeLoadBalancers: list
elbv2 CreateLoadBalancer: new
elbv2 RegisterTargets: add
autoscaling SetDesiredCapacity: scale size group instances
autoscaling UpdateAutoScalingGroup: scale size
wafv2 UpdateIPSet: block allow address
batch SubmitJob: run start
cloudtrail LookupEvents: audit who changed deleted history resource
organizations ListAccounts: aws organization
organizations CreateAccount: new aws organization
apigateway CreateRestApi: new
backup StartBackupJob: back up
efs CreateFileSystem: nfs shared
sesv2 SendEmail: mail
sagemaker CreateTrainingJob: train model
sagemaker-runtime InvokeEndpoint: predict model
"""


def _read() -> Iterator[tuple[tuple[str, str], str]]:
    for line in _KEYWORDS.strip().splitlines():
        name, _, words = line.partition(": ")
        service, operation = name.split()
        yield (service, operation), words


KEYWORDS: Mapping[tuple[str, str], str] = dict(_read())
"""Search words for the most used operations, in addition to the words of their names."""
