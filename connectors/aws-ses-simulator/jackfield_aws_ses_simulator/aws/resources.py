"""Resources of SES version 2 that calls create, change, list and delete: templates, configuration
sets, contacts, the suppression list.

A record holds the parameters that made it, and its times; a response contains the members in the
operation's output shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.utils import parse_timestamp

from jackfield_aws_ses_simulator.aws.account import page
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.refusals import Refusal, missing

Body = dict[str, Any]
Operation = Callable[[Ledger, Call], Body]
_PAGE = 100
"""Default page size."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Kind of resource: the parameters that are its key, its name in refusals, and its parent
    kind.
    """

    key: tuple[str, ...]
    name: str
    within: str = ""
    parent: Kind | None = None

    def place(self, region: str, given: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the ledger's key for the record of given parameters."""
        return (self.name, region, *(str(given[member]) for member in self.key))

    def says(self, what: str, given: Mapping[str, Any]) -> str:
        """Return a sentence about the resource of given parameters, for a refusal."""
        return f"{self.name} {what}{self.within}.".format_map(given)


TEMPLATE = Kind(("TemplateName",), "Template {TemplateName}")
VERIFICATION_MAIL = Kind(("TemplateName",), "Custom verification email template <{TemplateName}>")
_CONFIGURATION_SET = Kind(("ConfigurationSetName",), "Configuration set <{ConfigurationSetName}>")
_DESTINATION = Kind(
    ("ConfigurationSetName", "EventDestinationName"),
    "Event destination <{EventDestinationName}>",
    " in configuration set <{ConfigurationSetName}>",
    _CONFIGURATION_SET,
)
_CONTACT_LIST = Kind(("ContactListName",), "List with name: {ContactListName}")
_CONTACT = Kind(
    ("ContactListName", "EmailAddress"),
    "Contact {EmailAddress}",
    " in list {ContactListName}",
    _CONTACT_LIST,
)
_SUPPRESSED = Kind(("EmailAddress",), "{EmailAddress}", " on the suppression list")
_SUPPRESSED_OF_TENANT = Kind(
    ("TenantName", "EmailAddress"),
    "Address {EmailAddress}",
    " on the suppression list of the tenant",
    Kind(("TenantName",), "Tenant"),
)


def find(kind: Kind, ledger: Ledger, region: str, given: Mapping[str, Any]) -> Body:
    """Return the record of the resource of given parameters.

    :raises Refusal: NotFoundException if it, or its parent, does not exist.
    """
    if kind.parent is not None:
        find(kind.parent, ledger, region, given)
    record = ledger.records.get(kind.place(region, given))
    if record is None:
        raise missing(kind.says("does not exist", given))
    return record


def _get(kind: Kind, ledger: Ledger, call: Call) -> Body:
    return find(kind, ledger, call.region, call.parameters)


def _put(kind: Kind, ledger: Ledger, call: Call) -> Body:
    now, place = int(ledger.now()), kind.place(call.region, call.parameters)
    made = ledger.records.get(place) or {"CreatedTimestamp": now}
    ledger.records[place] = {
        **made,
        **call.parameters,
        "LastUpdatedTimestamp": now,
        "LastUpdateTime": now,
    }
    return {}


def _create(kind: Kind, ledger: Ledger, call: Call) -> Body:
    if kind.parent is not None:
        _get(kind.parent, ledger, call)
    if kind.place(call.region, call.parameters) in ledger.records:
        raise Refusal("AlreadyExistsException", kind.says("already exists", call.parameters))
    return _put(kind, ledger, call)


def _update(kind: Kind, ledger: Ledger, call: Call) -> Body:
    _get(kind, ledger, call)
    return _put(kind, ledger, call)


def _delete(kind: Kind, ledger: Ledger, call: Call) -> Body:
    _get(kind, ledger, call)
    del ledger.records[kind.place(call.region, call.parameters)]
    for child in (_DESTINATION, _CONTACT):
        for place, _ in _records(child, ledger, call) if child.parent is kind else ():
            del ledger.records[place]
    return {}


def _records(kind: Kind, ledger: Ledger, call: Call) -> list[tuple[tuple[str, ...], Body]]:
    """Return the records of a kind in the call's region and, if the kind has a parent, in the
    call's parent.
    """
    start = (
        kind.name,
        call.region,
        *(
            call.parameters[member]
            for member in (kind.parent.key if kind.parent is not None else ())
        ),
    )
    return [
        (place, record)
        for place, record in ledger.records.items()
        if place[: len(start)] == start and record is not None
    ]


def paged(call: Call, rows: Mapping[str, Any], member: str) -> Body:
    """Return one page of rows, in the order of their names.

    :raises Refusal: for a size out of bounds, or a token of another list.
    """
    shown = page(
        rows,
        f"{call.operation}/{call.region}",
        call.parameters.get("NextToken"),
        str(call.parameters.get("PageSize", _PAGE)),
    )
    return {member: [rows[name] for name in shown.names], "NextToken": shown.token}


def _list(
    kind: Kind,
    member: str,
    ledger: Ledger,
    call: Call,
    *,
    kept: Callable[[Body, Body], bool] = lambda *_: True,
) -> Body:
    found = {
        place[-1]: record
        for place, record in _records(kind, ledger, call)
        if kept(record, call.parameters)
    }
    return paged(call, found, member)


def _list_sets(ledger: Ledger, call: Call) -> Body:
    known = {place[-1]: place[-1] for place, _ in _records(_CONFIGURATION_SET, ledger, call)}
    return paged(
        call,
        {**{name: name for name in ledger.account.configuration_sets or ()}, **known},
        "ConfigurationSets",
    )


def configuration_set(ledger: Ledger, region: str, name: str) -> Body | None:
    """Return a configuration set; None if it does not exist. Without checks of configuration sets,
    every name exists.
    """
    known = ledger.account.configuration_sets
    found = ledger.records.get(_CONFIGURATION_SET.place(region, {"ConfigurationSetName": name}))
    return found if found is not None or (known is not None and name not in known) else {}


def _set_option(option: str, ledger: Ledger, call: Call) -> Body:
    record = _get(_CONFIGURATION_SET, ledger, call)
    record[option] = {
        name: value for name, value in call.parameters.items() if name != "ConfigurationSetName"
    }
    return {}


def _destinations(ledger: Ledger, call: Call) -> Body:
    _get(_CONFIGURATION_SET, ledger, call)
    found = _records(_DESTINATION, ledger, call)
    return {
        "EventDestinations": [
            {"Name": place[-1], **record["EventDestination"]} for place, record in found
        ]
    }


def destinations(ledger: Ledger, region: str, name: str) -> list[Body]:
    """Return the event destinations of a configuration set."""
    start = (_DESTINATION.name, region, name)
    return [
        record["EventDestination"]
        for place, record in ledger.records.items()
        if place[:3] == start and record is not None
    ]


def is_on_suppression_list(ledger: Ledger, region: str, address: str) -> bool:
    """Return whether an address is on the account's suppression list, ignoring case."""
    start = (_SUPPRESSED.name, region)
    return any(
        place[:2] == start and place[-1].lower() == address.lower() and record
        for place, record in ledger.records.items()
    )


def _list_contacts(ledger: Ledger, call: Call) -> Body:
    topics = _get(_CONTACT_LIST, ledger, call).get("Topics", ())
    defaults = {topic["TopicName"]: topic["DefaultSubscriptionStatus"] for topic in topics}
    return _list(_CONTACT, "Contacts", ledger, call, kept=partial(_is_subscribed, defaults))


def _is_subscribed(defaults: Mapping[str, str], record: Body, parameters: Body) -> bool:
    """Return whether a contact matches a filter by status, for one topic or for all."""
    wanted = parameters.get("Filter") or {}
    status, topic = wanted.get("FilteredStatus"), (wanted.get("TopicFilter") or {}).get("TopicName")
    statuses = {
        **defaults,
        **{
            item["TopicName"]: item["SubscriptionStatus"]
            for item in record.get("TopicPreferences") or ()
        },
    }
    asked = [statuses[topic]] if topic in statuses else list(statuses.values())
    found = (
        "OPT_OUT" if record.get("UnsubscribeAll") or (asked and "OPT_IN" not in asked) else "OPT_IN"
    )
    return status in (None, found)


def _in_list(operation: Callable[[Kind, Ledger, Call], Body], ledger: Ledger, call: Call) -> Body:
    """Run an operation on the suppression list of the call's tenant or, without a tenant, of the
    account.
    """
    kind = _SUPPRESSED_OF_TENANT if "TenantName" in call.parameters else _SUPPRESSED
    if kind.parent is not None:
        find(kind.parent, ledger, call.region, call.parameters)
    return operation(kind, ledger, call)


def _suppressed(kind: Kind, ledger: Ledger, call: Call) -> Body:
    return {"SuppressedDestination": {"Attributes": {}, **_get(kind, ledger, call)}}


def _list_suppressed(kind: Kind, ledger: Ledger, call: Call) -> Body:
    return _list(kind, "SuppressedDestinationSummaries", ledger, call, kept=_is_suppressed)


def _is_suppressed(record: Body, parameters: Body) -> bool:
    """Return whether an entry of the suppression list matches a request's filters."""
    reasons, added = parameters.get("Reasons") or (record["Reason"],), record["LastUpdateTime"]
    since, until = (
        parse_timestamp(parameters.get(name, added)).timestamp()
        for name in ("StartDate", "EndDate")
    )
    return record["Reason"] in reasons and since <= added <= until


_OPTIONS: Iterable[str] = ("Tracking", "Delivery", "Reputation", "Sending", "Suppression")


def _life(noun: str, kind: Kind) -> dict[str, Operation]:
    """Return a kind's operations that create, read, update and delete."""
    verbs = {"Create": _create, "Get": _get, "Update": _update, "Delete": _delete}
    return {verb + noun: partial(operation, kind) for verb, operation in verbs.items()}


OPERATIONS: Mapping[str, Operation] = {
    **_life("EmailTemplate", TEMPLATE),
    "ListEmailTemplates": partial(_list, TEMPLATE, "TemplatesMetadata"),
    **_life("CustomVerificationEmailTemplate", VERIFICATION_MAIL),
    "ListCustomVerificationEmailTemplates": partial(
        _list, VERIFICATION_MAIL, "CustomVerificationEmailTemplates"
    ),
    **_life("ConfigurationSet", _CONFIGURATION_SET),
    "ListConfigurationSets": _list_sets,
    **{
        f"PutConfigurationSet{option}Options": partial(_set_option, f"{option}Options")
        for option in _OPTIONS
    },
    "PutConfigurationSetVdmOptions": partial(_update, _CONFIGURATION_SET),
    **_life("ConfigurationSetEventDestination", _DESTINATION),
    "GetConfigurationSetEventDestinations": _destinations,
    **_life("ContactList", _CONTACT_LIST),
    "ListContactLists": partial(_list, _CONTACT_LIST, "ContactLists"),
    **_life("Contact", _CONTACT),
    "ListContacts": _list_contacts,
    "PutSuppressedDestination": partial(_in_list, _put),
    "GetSuppressedDestination": partial(_in_list, _suppressed),
    "DeleteSuppressedDestination": partial(_in_list, _delete),
    "ListSuppressedDestinations": partial(_in_list, _list_suppressed),
}
"""Operations by name. Each returns the members of its response; members outside the operation's
output shape are left out.
"""
