"""Codes of AWS's throttles: nothing was done, whatever the status, so any operation may be sent
again.

Each code has its source, which a test checks in the installed botocore. botocore's list is the
basis (``botocore.retries.standard``), without three of its codes.
``TransactionInProgressException`` may be about an earlier attempt of the same call.
``RequestTimeout`` is no throttle. ``LimitExceededException`` also means a used-up quota, and is a
throttle only by its message. Codes with a status 4xx in a service's model need no line, since their
words or a 429 suffice (``virtual/code_words.py``); a 5xx is a refusal by this list alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_STANDARD = "botocore.retries.standard"
THROTTLES: Mapping[str, str] = {
    "Throttling": _STANDARD,
    "ThrottlingException": f"{_STANDARD}; model of neptunedata",
    "ThrottledException": f"{_STANDARD}; model of lakeformation",
    "RequestThrottledException": f"{_STANDARD}; model of ebs",
    "TooManyRequestsException": f"{_STANDARD}; model of lambda",
    "ProvisionedThroughputExceededException": f"{_STANDARD}; model of dynamodb",
    "RequestLimitExceeded": f"{_STANDARD}; botocore/data/_retry.json: ec2 sends it with 503",
    "BandwidthLimitExceeded": f"{_STANDARD}; botocore/data/_retry.json: cloudsearch sends it with 509",
    "RequestThrottled": f"{_STANDARD}; botocore/data/_retry.json: sqs sends it with 403",
    "SlowDown": _STANDARD,
    "PriorRequestNotComplete": f"{_STANDARD}; model of route53",
    "EC2ThrottledException": f"{_STANDARD}; model of lambda",
    "Throttled": "model of sns",
    "ThrottledRequestException": "model of socialmessaging",
    "ThrottledClientException": "model of chime",
    "ThrottlingError": "model of dynamodb, documentation of TransactionCanceledException",
    "TooManyRequestException": "model of elementalinference",
    "TooManyRequestsError": "model of signin",
    "RateLimitError": "model of wickr",
    "RateLimitExceededException": "model of license-manager",
    "CallRateLimitExceededException": "model of imagebuilder",
    "APICallRateForCustomerExceeded": "model of elasticache",
    "APICallRateForCustomerExceededFault": "model of memorydb",
    "EKSRequestThrottledException": "model of emr-containers",
    "LambdaThrottledException": "model of cognito-sync",
    "KMSThrottlingException": "model of kinesis",
    "KMSThrottling": "model of sns",
    "KMSThrottlingFault": "model of dms",
    "KmsThrottled": "model of sqs",
    "DependencyThrottle": "model of elb",
    "DependentServiceRequestThrottlingFault": "model of redshift",
    "ResourceProvisionedThroughputExceededException": "model of kinesisanalytics",
}
"""Codes that mean a throttle with any message, with their sources: botocore's lists of retried
codes, or the model of a service. The service is named as in botocore, and has the code among its
errors. A test looks each up.
"""
THROTTLE_PHRASES: Mapping[str, str] = {
    r"\brate (?:limit )?(?:was |has been |is )?exceeded": "LimitExceededException of Kinesis, ClientException of ECS and Batch",
    r"\bexceed(?:ed|s|ing)? (?:the |your |its )?(?:\w+ )?(?:request )?rate\b": "the same in a sentence",
    r"\btoo many requests\b": "the reason phrase of 429 (RFC 6585 §4), which services send under codes of their own",
    r"\brequests? rate (?:is )?too high": "AWS IoT and Amazon DynamoDB, error messages",
    r"\breduce your request rate": "AWS re:Post, S3's 503 SlowDown: the message of that code",
    r"\brequest limit exceeded": "Amazon EC2 API reference, error codes, RequestLimitExceeded",
    r"\bthrottled\b|\bthrottling\b": "AWS's own word for it, under codes of wrong content",
}
"""Patterns of lower-case phrases that mark a throttle under an unknown code, or the code of a quota
or of invalid content, with sources.
"""
_PHRASES = re.compile("|".join(THROTTLE_PHRASES))


def says_throttled(message: str) -> bool:
    """Return whether a lower-case message is about a throttle ("rate exceeded for stream s")."""
    return _PHRASES.search(message) is not None
