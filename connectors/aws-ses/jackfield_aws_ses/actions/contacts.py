"""Contacts of a contact list: recipients with their preferences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jackfield.connector import Detail, Field, Inputs
from jackfield_aws import AwsClients
from jackfield_aws_ses.actions.contact_lists import ListChosen, Subscription
from jackfield_aws_ses.addresses import parse_mailbox
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.fields import bare_address_faults, bare_address_field
from jackfield_aws_ses.logged import BY_AGENT, logged
from jackfield_aws_ses.provider import (
    Answer,
    Done,
    Moment,
    Paged,
    ask,
    iam,
    one_example,
    pages,
    read,
)


class ContactChosen(ListChosen):
    """Contact in a list."""

    address: str = bare_address_field("The contact's bare address.")

    def rules(self) -> Iterable[Detail]:
        """Yield the fault of text that is not a bare address."""
        return bare_address_faults(self.address)

    @property
    def names(self) -> dict[str, str]:
        """Parameters that name the contact."""
        return {
            "ContactListName": self.contact_list_name,
            "EmailAddress": parse_mailbox(self.address).address,
        }


class Preference(Inputs):
    """Subscription of a contact to a topic."""

    topic_name: str = Field(
        title="Topic", schema={"minLength": 1, "maxLength": 64}, description="The topic's name."
    )
    subscription_status: Subscription = Field(
        title="Subscription", description="OPT_IN or OPT_OUT."
    )


class ContactOptions(ContactChosen):
    """Contact with its preferences."""

    topic_preferences: tuple[Preference, ...] | None = Field(
        None, title="Topics", description="Subscriptions to topics."
    )
    unsubscribe_all: bool | None = Field(
        None,
        title="Unsubscribe From All",
        description="True: the contact gets no email for any topic.",
    )
    attributes_data: str | None = Field(
        None,
        title="Attributes",
        sensitive=True,
        multiline=True,
        blank="absent",
        schema={"maxLength": 51200},
        description="Attributes of your own, as JSON text.",
    )

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of CreateContact and UpdateContact."""
        chosen = [
            {"TopicName": item.topic_name, "SubscriptionStatus": item.subscription_status}
            for item in self.topic_preferences or ()
        ]
        return {
            **self.names,
            "TopicPreferences": chosen if self.topic_preferences is not None else None,
            "UnsubscribeAll": self.unsubscribe_all,
            "AttributesData": self.attributes_data,
        }


_ADA = {"contactListName": "readers", "address": "ada@example.com"}


@connector.action(
    "createContact",
    effect="write",
    marker=BY_AGENT,
    evidence=logged("CreateContact"),
    permissions=iam("CreateContact"),
    examples=one_example(
        "createContact",
        "A subscriber",
        {**_ADA, "topicPreferences": [{"topicName": "news", "subscriptionStatus": "OPT_IN"}]},
        {},
    ),
    keywords=(
        "add a subscriber",
        "newsletter",
    ),
)
def create_contact(wanted: ContactOptions, aws: AwsClients) -> Done:
    """Add a contact to a contact list."""
    return read(Done, ask(aws, wanted.aws_region, "create_contact", wanted.parameters))


class TopicPreference(Answer):
    """Subscription to a topic."""

    topic_name: str = Field(description="The topic's name.")
    subscription_status: str = Field(description="OPT_IN or OPT_OUT.")


class Contact(Answer):
    """Contact in a list."""

    contact_list_name: str | None = Field(None, description="The list's name.")
    email_address: str = Field(description="The address.")
    topic_preferences: tuple[TopicPreference, ...] | None = Field(
        None, description="The contact's own subscriptions."
    )
    topic_default_preferences: tuple[TopicPreference, ...] | None = Field(
        None, description="Subscriptions by the topics' defaults."
    )
    unsubscribe_all: bool | None = Field(
        None, description="True: the contact gets no email for any topic."
    )
    attributes_data: str | None = Field(None, description="Attributes of your own.")
    created_timestamp: Moment | None = Field(None, description="Time of its creation.")
    last_updated_timestamp: Moment | None = Field(None, description="Time of its last change.")


@connector.action(
    "getContact",
    effect="read",
    permissions=iam("GetContact"),
    examples=one_example(
        "getContact",
        "A subscriber",
        _ADA,
        {
            "ContactListName": "readers",
            "EmailAddress": "ada@example.com",
            "TopicPreferences": [{"TopicName": "news", "SubscriptionStatus": "OPT_IN"}],
            "UnsubscribeAll": False,
        },
    ),
)
def get_contact(chosen: ContactChosen, aws: AwsClients) -> Contact:
    """Read a contact with its preferences."""
    return read(Contact, ask(aws, chosen.aws_region, "get_contact", chosen.names, "EmailAddress"))


@connector.action(
    "updateContact",
    effect="idempotent",
    permissions=iam("UpdateContact"),
    examples=one_example(
        "updateContact", "An unsubscription", {**_ADA, "unsubscribeAll": True}, {}
    ),
)
def update_contact(wanted: ContactOptions, aws: AwsClients) -> Done:
    """Change the preferences of a contact."""
    return read(Done, ask(aws, wanted.aws_region, "update_contact", wanted.parameters))


@connector.action(
    "deleteContact",
    effect="idempotent",
    permissions=iam("DeleteContact"),
    repeat_ok=("not_found",),
    examples=one_example("deleteContact", "One contact", _ADA, {}),
)
def delete_contact(chosen: ContactChosen, aws: AwsClients) -> Done:
    """Remove a contact from a contact list."""
    return read(Done, ask(aws, chosen.aws_region, "delete_contact", chosen.names))


class ContactsQuery(ListChosen, Paged):
    """Contacts to list."""

    filtered_status: Subscription | None = Field(
        None,
        title="Subscription",
        blank="absent",
        description="Only contacts with this subscription, to the topic, if one is given.",
    )
    topic_name: str | None = Field(
        None, title="Topic", trim=True, blank="absent", description="The topic of the subscription."
    )


class Contacts(Answer):
    """Page of contacts, or all of them."""

    contacts: tuple[Contact, ...] = Field(description="Contacts.")
    next_token: str | None = Field(
        None,
        description="Set if there are more pages: pass it as 'Next Token' to read the next one.",
    )


@connector.action(
    "listContacts",
    effect="read",
    permissions=iam("ListContacts"),
    pagination=pages("Contacts"),
    schema={"dependentRequired": {"topicName": ["filteredStatus"]}},
    examples=one_example(
        "listContacts",
        "All subscribers of a topic",
        {
            "contactListName": "readers",
            "filteredStatus": "OPT_IN",
            "topicName": "news",
            "fetchAll": True,
        },
        {"Contacts": [{"EmailAddress": "ada@example.com", "UnsubscribeAll": False}]},
        complete=True,
    ),
)
def list_contacts(query: ContactsQuery, aws: AwsClients) -> Contacts:
    """List the contacts of a contact list, optionally by subscription."""
    topic = (
        {"TopicFilter": {"TopicName": query.topic_name, "UseDefaultIfPreferenceUnavailable": True}}
        if query.topic_name
        else {}
    )
    wanted = {"FilteredStatus": query.filtered_status, **topic} if query.filtered_status else None
    asked = {
        "ContactListName": query.contact_list_name,
        "Filter": wanted,
        "NextToken": query.next_token,
        "PageSize": query.page_size,
    }
    return read(Contacts, ask(aws, query.aws_region, "list_contacts", asked, "Contacts"))
