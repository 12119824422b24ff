"""``listIdentities``: the addresses and domains from which the account may send."""

from __future__ import annotations

from typing import Any, Literal

from jackfield.connector import Field, Inputs, Output, Pagination, RateLimit, Sent, Unavailable
from jackfield_aws import AwsClients
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.examples import example
from jackfield_aws_ses.fields import Region, region_field

LIST_IDENTITIES = (
    example(
        "All domains",
        "listIdentities",
        {"awsRegion": "eu-west-1", "identityType": "Domain", "fetchAll": True},
        {"Identities": ["example.com", "example.org"]},
        complete=True,
    ),
)


class IdentityQuery(Inputs):
    """Identities to list."""

    aws_region: Region = region_field()
    identity_type: Literal["EmailAddress", "Domain"] = Field(
        "EmailAddress",
        title="Identity Type",
        description="Provide the type of identity you want to list.",
        blank="absent",
    )
    next_token: str | None = Field(
        None,
        title="Next Token",
        blank="absent",
        description=(
            "Specify the pagination token that's returned by a previous request to retrieve "
            "the next page of results"
        ),
    )
    fetch_all: bool = Field(
        False,
        title="Fetch All",
        blank="absent",
        description=(
            "Fetch every page and return all identities at once. 'Next Token' is then ignored."
        ),
    )
    page_size: int | None = Field(
        None,
        title="Page Size",
        blank="absent",
        schema={"minimum": 1, "maximum": 1000},
        description="Number of identities per page, 1 to 1000. The default of Amazon SES is 100.",
    )


class Identities(Output):
    """A page of identities, or all of them."""

    identities: list[str] = Field(
        alias="Identities", title="Identities", description="Email addresses or domains."
    )
    next_token: str | None = Field(
        None,
        alias="NextToken",
        title="Next Token",
        description=("Set if there are more pages: pass it as 'Next Token' to read the next one."),
    )


@connector.action(
    "listIdentities",
    effect="read",
    permissions={"aws:iam": ["ses:ListIdentities"]},
    pagination=Pagination(
        token_input="nextToken",  # noqa: S106 (the name of an input)
        token_output="NextToken",  # noqa: S106 (the name of an output member)
        items="Identities",
        all_input="fetchAll",
        size_input="pageSize",
        max_size=1000,
    ),
    rate_limit=RateLimit(per_second=1),
    examples=LIST_IDENTITIES,
    keywords=(
        "verified senders",
        "domains",
    ),
)
def list_identities(query: IdentityQuery, aws: AwsClients) -> Identities:
    """List identities available in Amazon SES."""
    asked: dict[str, Any] = {
        "IdentityType": query.identity_type,
        "NextToken": query.next_token,
        "MaxItems": query.page_size,
    }
    ses = aws.client("ses", query.aws_region, validates=False)  # three members of validated inputs
    answer = ses.list_identities(
        **{name: value for name, value in asked.items() if value is not None}
    )
    if "Identities" not in answer:
        raise Unavailable("Amazon SES's response contains no list of identities", sent=Sent.UNKNOWN)
    return Identities(identities=answer["Identities"], next_token=answer.get("NextToken"))
