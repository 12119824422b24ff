"""What people ask of AWS every day, and the action that must come first."""

from __future__ import annotations

EVERYDAY_QUERIES = """
list buckets=s3 listBuckets
create bucket=s3 createBucket
upload object=s3 putObject
put object=s3 putObject
download object=s3 getObject
delete object=s3 deleteObject
copy object=s3 copyObject
list objects=s3 listObjectsV2|s3 listObjects
send message=sqs sendMessage|slack postMessage|rabbitmq publishMessage
receive message=sqs receiveMessage
create queue=sqs createQueue|rabbitmq declareQueue
purge queue=sqs purgeQueue
publish message to topic=sns publish
create topic=sns createTopic
subscribe to topic=sns subscribe
put item=dynamodb putItem
get item=dynamodb getItem
query table=dynamodb query|postgresql runQuery|mysql runQuery
scan table=dynamodb scan
create table=dynamodb createTable
invoke function=lambda invoke
create function=lambda createFunction
list functions=lambda listFunctions
start instance=ec2 startInstances
stop instances=ec2 stopInstances
describe instances=ec2 describeInstances
run instances=ec2 runInstances
create security group=ec2 createSecurityGroup
create user=iam createUser
list users=iam listUsers|slack listUsers
create access key=iam createAccessKey
attach role policy=iam attachRolePolicy
assume role=sts assumeRole
caller identity=sts getCallerIdentity
get secret=secretsmanager getSecretValue
create secret=secretsmanager createSecret
get parameter=ssm getParameter
put parameter=ssm putParameter
put metric data=cloudwatch putMetricData
filter log events=logs filterLogEvents
create log group=logs createLogGroup
put events=events putEvents
start execution=stepfunctions startExecution
encrypt data=kms encrypt
create key=kms createKey
describe db instances=rds describeDBInstances
run task=ecs runTask
list clusters=ecs listClusters|eks listClusters
list hosted zones=route53 listHostedZones
create stack=cloudformation createStack
put record=kinesis putRecord
start query execution=athena startQueryExecution
send email=aws-ses sendEmail
create invalidation=cloudfront createInvalidation
list tables=dynamodb listTables|postgresql listTables|mysql listTables
request certificate=acm requestCertificate
create schedule=scheduler createSchedule|events createSchedule
list images ecr=ecr listImages
converse with a model=bedrock-runtime converse
"""
"""Query and the action that must come first; ``|`` separates equally good ones."""
