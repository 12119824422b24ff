"""Pages of a list read by a poll."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from jackfield.connector import Gone, Rejected
from jackfield_aws import AwsClients
from jackfield_aws_ses.errors import explain
from jackfield_aws_ses.provider import ask


def ask_page(
    aws: AwsClients, region: str | None, operation: str, asked: Mapping[str, Any], member: str
) -> dict[str, Any]:
    """Fetch the page of ``NextToken``, as ``ask`` does.

    :raises Gone: if Amazon SES no longer knows the page.
    """
    try:
        return ask(aws, region, operation, asked, member)
    except ClientError as error:
        if asked.get("NextToken") is not None and isinstance(explain(error, aws, None), Rejected):
            raise Gone from None
        raise
