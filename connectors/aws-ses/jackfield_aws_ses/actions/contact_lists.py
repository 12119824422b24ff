"""Contact lists: lists of recipients with topics that they can subscribe to."""

from __future__ import annotations

from typing import Any, Literal

from jackfield.connector import Field, Inputs, RateLimit
from jackfield_aws import AwsClients
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.logged import BY_AGENT, logged
from jackfield_aws_ses.provider import (
    Answer,
    Done,
    Moment,
    Paged,
    Regional,
    ask,
    iam,
    one_example,
    pages,
    read,
)

Subscription = Literal["OPT_IN", "OPT_OUT"]
_ONCE = RateLimit(per_second=1)


class ListChosen(Regional):
    """Contact list in a region."""

    contact_list_name: str = Field(
        title="Contact List",
        trim=True,
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="the name of a contact list (letters, digits, '_' and '-')",
        description="The name of the contact list.",
    )


class NewTopic(Inputs):
    """Topic of a contact list."""

    name: str = Field(
        title="Name",
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="a name of letters, digits, '_' and '-'",
        description="The topic's name.",
    )
    display_name: str = Field(
        title="Display Name",
        schema={"minLength": 1, "maxLength": 128},
        description="Name shown to contacts.",
    )
    description: str | None = Field(
        None,
        title="Description",
        blank="absent",
        schema={"maxLength": 500},
        description="Text for contacts.",
    )
    default_subscription_status: Subscription = Field(
        "OPT_OUT",
        title="Default",
        description="Subscription for contacts without a preference of their own.",
    )


class ListOptions(ListChosen):
    """Contact list with its topics."""

    description: str | None = Field(
        None,
        title="Description",
        blank="absent",
        schema={"maxLength": 500},
        description="Its description.",
    )
    topics: tuple[NewTopic, ...] | None = Field(
        None,
        title="Topics",
        schema={"maxItems": 20},
        description="Topics, at most 20. An update replaces all of them.",
    )

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of CreateContactList and UpdateContactList."""
        topics = [
            {
                "TopicName": topic.name,
                "DisplayName": topic.display_name,
                "DefaultSubscriptionStatus": topic.default_subscription_status,
                **({"Description": topic.description} if topic.description else {}),
            }
            for topic in self.topics or ()
        ]
        named = {"ContactListName": self.contact_list_name, "Description": self.description}
        return {**named, "Topics": topics if self.topics is not None else None}


_NEWS = {"name": "news", "displayName": "News", "defaultSubscriptionStatus": "OPT_IN"}


@connector.action(
    "createContactList",
    effect="write",
    marker=BY_AGENT,
    evidence=logged("CreateContactList"),
    permissions=iam("CreateContactList"),
    rate_limit=_ONCE,
    examples=one_example(
        "createContactList", "With one topic", {"contactListName": "readers", "topics": [_NEWS]}, {}
    ),
    keywords=(
        "mailing list",
        "newsletter",
    ),
)
def create_contact_list(wanted: ListOptions, aws: AwsClients) -> Done:
    """Create a contact list. Amazon SES allows one per account and region."""
    return read(Done, ask(aws, wanted.aws_region, "create_contact_list", wanted.parameters))


class Topic(Answer):
    """Topic of a contact list."""

    topic_name: str = Field(description="Name.")
    display_name: str = Field(description="Name shown to contacts.")
    description: str | None = Field(None, description="Text for contacts.")
    default_subscription_status: str = Field(description="OPT_IN or OPT_OUT.")


class ContactList(Answer):
    """Contact list."""

    contact_list_name: str = Field(description="Its name.")
    description: str | None = Field(None, description="Its description.")
    topics: tuple[Topic, ...] | None = Field(None, description="Its topics.")
    created_timestamp: Moment | None = Field(None, description="Time of its creation.")
    last_updated_timestamp: Moment | None = Field(None, description="Time of its last change.")


@connector.action(
    "getContactList",
    effect="read",
    permissions=iam("GetContactList"),
    rate_limit=_ONCE,
    examples=one_example(
        "getContactList",
        "One list",
        {"contactListName": "readers"},
        {
            "ContactListName": "readers",
            "Topics": [
                {"TopicName": "news", "DisplayName": "News", "DefaultSubscriptionStatus": "OPT_IN"}
            ],
            "CreatedTimestamp": "2026-11-20T10:15:00Z",
        },
    ),
)
def get_contact_list(chosen: ListChosen, aws: AwsClients) -> ContactList:
    """Read a contact list with its topics."""
    parameters = {"ContactListName": chosen.contact_list_name}
    return read(
        ContactList, ask(aws, chosen.aws_region, "get_contact_list", parameters, "ContactListName")
    )


@connector.action(
    "updateContactList",
    effect="idempotent",
    permissions=iam("UpdateContactList"),
    rate_limit=_ONCE,
    examples=one_example(
        "updateContactList", "Other topics", {"contactListName": "readers", "topics": [_NEWS]}, {}
    ),
)
def update_contact_list(wanted: ListOptions, aws: AwsClients) -> Done:
    """Replace the description and the topics of a contact list."""
    return read(Done, ask(aws, wanted.aws_region, "update_contact_list", wanted.parameters))


@connector.action(
    "deleteContactList",
    effect="idempotent",
    permissions=iam("DeleteContactList"),
    rate_limit=_ONCE,
    repeat_ok=("not_found",),
    examples=one_example("deleteContactList", "One list", {"contactListName": "readers"}, {}),
)
def delete_contact_list(chosen: ListChosen, aws: AwsClients) -> Done:
    """Delete a contact list and all its contacts."""
    return read(
        Done,
        ask(
            aws,
            chosen.aws_region,
            "delete_contact_list",
            {"ContactListName": chosen.contact_list_name},
        ),
    )


class ListsQuery(Paged):
    """Contact lists to list."""


class ListSummary(Answer):
    """Contact list in a list."""

    contact_list_name: str = Field(description="Its name.")
    last_updated_timestamp: Moment | None = Field(None, description="Time of its last change.")


class ContactLists(Answer):
    """Page of contact lists, or all of them."""

    contact_lists: tuple[ListSummary, ...] = Field(description="Contact lists.")
    next_token: str | None = Field(
        None,
        description="Set if there are more pages: pass it as 'Next Token' to read the next one.",
    )


@connector.action(
    "listContactLists",
    effect="read",
    permissions=iam("ListContactLists"),
    pagination=pages("ContactLists"),
    rate_limit=_ONCE,
    examples=one_example(
        "listContactLists",
        "All lists",
        {"fetchAll": True},
        {"ContactLists": [{"ContactListName": "readers"}]},
        complete=True,
    ),
)
def list_contact_lists(query: ListsQuery, aws: AwsClients) -> ContactLists:
    """List the contact lists."""
    asked = {"NextToken": query.next_token, "PageSize": query.page_size}
    return read(
        ContactLists, ask(aws, query.aws_region, "list_contact_lists", asked, "ContactLists")
    )
