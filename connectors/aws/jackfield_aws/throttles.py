"""Codes by which AWS says that it throttles: nothing was done, whatever the status, so any operation may be sent again.

Reviewed one by one, each with its source. botocore's list is the start (``botocore.retries.standard``), without three of its codes:
``TransactionInProgressException``, since what runs may be an earlier attempt of the same call; ``RequestTimeout``, which is no throttle;
and ``LimitExceededException``, which is a used-up quota as well, and a throttle only by its words. Codes that services model with a status
4xx need no line, since their words or a 429 say it (``virtual/code_words.py``); a 5xx is a refusal by this list alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_STANDARD = "botocore.retries.standard"
_LEGACY = "botocore/data/_retry.json"
THROTTLES: Mapping[str, str] = {
    "Throttling": f"{_STANDARD}; AWS reference, common errors",
    "ThrottlingException": f"{_STANDARD}; 231 services model it, neptunedata with 500",
    "ThrottledException": f"{_STANDARD}; Lake Formation API reference, ThrottledException",
    "RequestThrottledException": f"{_STANDARD}; Amazon EBS direct APIs, RequestThrottledException",
    "TooManyRequestsException": f"{_STANDARD}; AWS Lambda API reference, TooManyRequestsException",
    "ProvisionedThroughputExceededException": f"{_STANDARD}; Amazon DynamoDB developer guide, error handling",
    "RequestLimitExceeded": f"{_STANDARD}; Amazon EC2 API reference, request throttling: sent with 503",
    "BandwidthLimitExceeded": f"{_STANDARD}; {_LEGACY}, cloudsearch: sent with 509",
    "RequestThrottled": f"{_STANDARD}; Amazon SQS API reference, RequestThrottled: sent with 403",
    "SlowDown": f"{_STANDARD}; Amazon S3 API reference, error responses: sent with 503",
    "PriorRequestNotComplete": f"{_STANDARD}; Amazon Route 53 API reference, PriorRequestNotComplete",
    "EC2ThrottledException": f"{_STANDARD}; AWS Lambda API reference, Invoke: sent with 502, before the function is run",
    "Throttled": "Amazon SNS API reference, ThrottledException",
    "ThrottledRequestException": "AWS End User Messaging Social API reference, ThrottledRequestException",
    "ThrottledClientException": "Amazon Chime API reference, ThrottledClientException",
    "ThrottlingError": "Amazon DynamoDB API reference, TransactWriteItems, cancellation reasons",
    "TooManyRequestException": "AWS Elemental Inference API reference, TooManyRequestException",
    "TooManyRequestsError": "AWS Sign-In API reference, TooManyRequestsError",
    "RateLimitError": "AWS Wickr API reference, RateLimitError",
    "RateLimitExceededException": "AWS License Manager API reference, RateLimitExceededException",
    "CallRateLimitExceededException": "EC2 Image Builder API reference, CallRateLimitExceededException",
    "APICallRateForCustomerExceeded": "Amazon ElastiCache API reference, APICallRateForCustomerExceeded",
    "APICallRateForCustomerExceededFault": "Amazon MemoryDB API reference, APICallRateForCustomerExceededFault",
    "EKSRequestThrottledException": "Amazon EMR on EKS API reference, EKSRequestThrottledException",
    "LambdaThrottledException": "Amazon Cognito Sync API reference, LambdaThrottledException",
    "KMSThrottlingException": "Amazon Kinesis Data Streams API reference, KMSThrottlingException",
    "KMSThrottling": "Amazon SNS API reference, KMSThrottlingException",
    "KMSThrottlingFault": "AWS DMS API reference, KMSThrottlingFault",
    "KmsThrottled": "Amazon SQS API reference, KmsThrottled",
    "DependencyThrottle": "Elastic Load Balancing API reference, DependencyThrottleException",
    "DependentServiceRequestThrottlingFault": "Amazon Redshift API reference, DependentServiceRequestThrottlingFault",
    "ResourceProvisionedThroughputExceededException": "Kinesis Data Analytics API reference, DiscoverInputSchema",
}
"""Codes of throttles, whatever the message, and the source of each."""
THROTTLES_BY_WORDS: Mapping[tuple[str, str], str] = {
    ("ServiceUnavailable", "reduce your request rate"): "Amazon S3 API reference, error responses: sent with 503",
}
"""Codes that are throttles with these words in their message only, and the source of each."""
THROTTLE_PHRASES: Mapping[str, str] = {
    r"\brate (?:limit )?(?:was |has been |is )?exceeded": "LimitExceededException of Kinesis, ClientException of ECS and Batch",
    r"\bexceed(?:ed|s|ing)? (?:the |your |its )?(?:\w+ )?(?:request )?rate\b": "the same in a sentence",
    r"\btoo many requests\b": "the reason phrase of 429 (RFC 6585 §4), which services send under codes of their own",
    r"\brequests? rate (?:is )?too high": "AWS IoT and Amazon DynamoDB, error messages",
    r"\breduce your request rate": "Amazon S3 API reference, error responses, SlowDown",
    r"\brequest limit exceeded": "Amazon EC2 API reference, error codes, RequestLimitExceeded",
    r"\bthrottled\b|\bthrottling\b": "AWS's own word for it, under codes of wrong content",
}
"""Words of a message, in small letters, that tell of a throttle under the code of a quota or of wrong content, or under an unknown one."""
_PHRASES = re.compile("|".join(THROTTLE_PHRASES))


def says_throttled(message: str) -> bool:
    """Return whether a message in small letters tells of a throttle ("rate exceeded for stream s")."""
    return _PHRASES.search(message) is not None
