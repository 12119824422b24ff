"""Meaning of Amazon SES's own error codes, with a hint for each."""

from typing import Any

from jackfield.connector import (
    Conflict,
    Forbidden,
    Inputs,
    JackfieldError,
    NotFound,
    QuotaExceeded,
    Rejected,
    Sent,
    Unauthenticated,
    Unavailable,
)
from jackfield_aws import AWS_ERRORS, Row
from jackfield_aws.rows import Key
from jackfield_aws_ses.pausing import PAUSED, STOPS, SUSPENDED, TENANT_PAUSED

_DAILY = Row(
    QuotaExceeded,
    "The account's sending quota for 24 hours is used up: wait until it frees up, or ask AWS for "
    "a higher quota in {region}.",
    "The daily sending quota is used up",
)
_UNVERIFIED = Row(
    Rejected,
    "Verify the sender's address or its domain in Amazon SES in {region} (Identities > Create "
    "identity); each region verifies "
    "identities separately. The action 'createIdentity' does the same. While the account is in "
    "the sandbox, each recipient must be "
    "verified as well; for tests, send to success@simulator.amazonses.com, Amazon SES's mailbox "
    "simulator.",
    "Amazon SES refused the message: an identity is not verified in {region}",
)
_PAUSED = Row(Forbidden, PAUSED.hint, PAUSED.says)
_REFUSALS = (
    "MessageRejected",
    "BadRequest",
    "SendingPaused",
    "AccountSendingPaused",
    "ConfigurationSetSendingPaused",
    "InvalidParameterValue",
)
_STOPS: dict[Key, Row] = {
    (code, phrase): Row(Forbidden, stop.hint, stop.says)
    for code in _REFUSALS
    for phrase, stop in STOPS
}
_WRONG_PAIR = (
    "Check the Access Key ID and the Secret Access Key: they do not belong together, or one of "
    "them is truncated or contains a space. With "
    "Amazon SES the usual cause is its SMTP password in place of the secret access key: the API "
    "takes the secret access key of an IAM "
    "user, and the connection type 'smtp' the SMTP password."
)
_TENANT_PAUSED = Row(Forbidden, TENANT_PAUSED.hint, TENANT_PAUSED.says)
_NOT_OF_TENANT = Row(
    Forbidden,
    "A tenant sends only with the identities, configuration sets and templates that are "
    "associated with it in {region}: associate those "
    "that Amazon SES names with 'createTenantAssociation', or send with others. "
    "'listTenantResources' lists them.",
    "The tenant may not send with this identity, configuration set or template",
)
_BAD_TOKEN = Row(
    Rejected,
    "Start again without 'nextToken': tokens expire and belong to one list.",
    "Amazon SES does not know the page token",
)
_EXISTS = Row(
    Conflict,
    "It exists in {region}: read it, update it, or choose another name.",
    "It exists already",
)
_NO_VALUE = Row(
    Rejected, "Add the attribute to the template's data.", "The template cannot be rendered"
)
_NO_SET = Row(
    NotFound,
    "Create the configuration set in {region}, or correct 'configurationSetName'; each region "
    "has its own sets.",
    "Amazon SES does not know the configuration set",
)

SES_ERRORS = AWS_ERRORS.extended(
    {
        ("Throttling", "Daily message quota"): _DAILY,
        ("TooManyRequests", "Daily message quota"): _DAILY,
        ("LimitExceeded", "Daily message quota"): _DAILY,
        "501": Row(
            Rejected,
            "Use an endpoint that has this operation: AWS itself, or an emulator that implements "
            "it (LocalStack Community has version 1 of "
            "the API only, through which 'sendEmail' and 'sendRawEmail' send there).",
            "the endpoint does not implement {operation}",
        ),
        "MessageRejected": Row(
            Rejected,
            "Change the message as Amazon SES's own error message says.",
            "Amazon SES refused the message",
        ),
        ("MessageRejected", "not verified"): _UNVERIFIED,
        ("MessageRejected", "failed the check"): _UNVERIFIED,
        ("MessageRejected", "authority to send"): _UNVERIFIED,
        **_STOPS,
        "SignatureDoesNotMatch": Row(Unauthenticated, _WRONG_PAIR),
        "InvalidSignature": Row(Unauthenticated, _WRONG_PAIR),
        "MailFromDomainNotVerified": Row(
            Rejected,
            "The custom MAIL FROM domain of the identity lacks its MX record: publish it in DNS, "
            "or let SES fall back to its own domain.",
            "The MAIL FROM domain is not verified in {region}",
        ),
        # Before the phrases below, which may be part of an address or a name.
        ("NotFound", "suppression list"): Row(
            NotFound,
            "Each region has its own suppression list: 'listSuppressedRecipients' lists the one "
            "of {region}.",
            "The address is not on the suppression list",
        ),
        ("NotFound", "exist in list"): Row(
            NotFound,
            "Check the address and the list in {region}: 'listContacts' lists its contacts, and "
            "'createContact' adds one.",
            "Amazon SES does not know the contact",
        ),
        ("NotFound", "list with name"): Row(
            NotFound,
            "Create the contact list in {region}, or correct 'contactListName': "
            "'listContactLists' lists those of the region.",
            "Amazon SES does not know the contact list",
        ),
        ("NotFound", "event destination"): Row(
            NotFound,
            "Correct 'eventDestinationName': 'listEventDestinations' lists those of the "
            "configuration set in {region}.",
            "Amazon SES does not know the event destination",
        ),
        "ConfigurationSetDoesNotExist": _NO_SET,
        ("NotFound", "configuration set"): _NO_SET,
        ("AccessDenied", "Tenant not associated with"): _NOT_OF_TENANT,
        **{
            (code, "tenant"): _TENANT_PAUSED
            for code in ("SendingPaused", "AccountSendingPaused", "ConfigurationSetSendingPaused")
        },
        ("NotFound", "tenant"): Row(
            NotFound,
            "Each region has its own tenants: 'listTenants' lists those of {region}, and "
            "'createTenant' adds one. A resource that is "
            "associated must exist, too.",
            "Amazon SES does not know the tenant",
        ),
        "ConfigurationSetSendingPaused": _PAUSED,
        "AccountSendingPaused": _PAUSED,
        "SendingPaused": _PAUSED,
        "AccountSuspended": Row(Forbidden, SUSPENDED.hint, SUSPENDED.says),
        "LimitExceeded": Row(
            QuotaExceeded,
            "A limit of the SES account is used up in {region}: see its quotas in the SES console.",
            "A limit is used up",
        ),
        "InvalidParameterValue": Row(
            Rejected,
            "Correct the value named in Amazon SES's error message.",
            "Amazon SES refused a value of the request",
        ),
        ("InvalidParameterValue", "Message length"): Row(
            Rejected,
            "Send a smaller message: API v2 accepts at most 40 MB after encoding.",
            "The message is too long",
        ),
        "BadRequest": Row(
            Rejected,
            "Correct the request as Amazon SES's error message says.",
            "Amazon SES refused the request",
        ),
        ("BadRequest", "NextToken"): _BAD_TOKEN,
        "InvalidNextToken": _BAD_TOKEN,
        "TemplateDoesNotExist": Row(
            NotFound, "Create the template in {region}.", "Amazon SES does not know the template"
        ),
        ("NotFound", "template"): Row(
            NotFound,
            "Create the template in {region}, or correct 'templateName'; templates are kept for "
            "each region apart.",
            "Amazon SES does not know the template",
        ),
        ("NotFound", "identity"): Row(
            NotFound,
            "Each region has its own identities: check the name and the region. "
            "'listIdentitiesWithStatus' lists those of {region}, and "
            "'createIdentity' adds one.",
            "Amazon SES does not know the identity",
        ),
        "InvalidRenderingParameter": Row(
            Rejected, "Correct the template's data.", "The template cannot be rendered"
        ),
        "MissingRenderingAttribute": _NO_VALUE,
        ("BadRequest", "rendering data"): _NO_VALUE,
        "AlreadyExists": _EXISTS,
        "InvalidS3Configuration": Row(
            Rejected,
            "The policy of the bucket must allow the service ses.amazonaws.com the action "
            "s3:PutObject, with your account as the condition "
            "aws:SourceAccount; the bucket must exist.",
            "Amazon SES cannot write to the bucket",
        ),
        # version 1, and emulators of version 2
        "ConfigurationSetAlreadyExists": _EXISTS,
        "CustomVerificationEmailTemplateAlreadyExists": _EXISTS,
        "EventDestinationAlreadyExists": _EXISTS,
        "ConcurrentModification": Row(
            Conflict,
            "Another request changes the same resource: try again in a moment.",
            "It is being changed",
        ),
    }
)
"""Codes of SES API v1 and v2 (their references, errors of SendEmail and ListIdentities)."""


def explain(error: Exception, client: Any, inputs: Inputs | None) -> JackfieldError | None:
    """Return the error for an exception, None if it is unknown. Hints name the identity to verify,
    or the action that reads a review's state.
    """
    if isinstance(error, KeyError):  # botocore's error for a well-formed v1 answer without a result
        return Unavailable(
            "Amazon SES returned a response that does not match its protocol", sent=Sent.UNKNOWN
        )
    found = SES_ERRORS(error, client, inputs)
    sender, tenant = getattr(inputs, "sender", None), getattr(inputs, "tenant", None)
    if (
        found is not None
        and sender
        and found.message.startswith("Amazon SES refused the message: an identity")
    ):
        found.hint = f"The sender is '{sender}'. {found.hint}"
    elif found is not None and tenant and found.message.startswith(f"{_PAUSED.says}:"):
        found.hint = (
            f"The tenant is '{tenant}': 'getTenantReputation' shows whether it is paused, by "
            f"whom and why. {found.hint}"
        )
    elif (
        isinstance(found, Conflict)
        and getattr(error, "operation_name", None) == "PutAccountDetails"
    ):
        found.hint = "AWS reviews the account already: 'getAccount' shows the state of the review."
    elif (
        sender
        and isinstance(found, Forbidden)
        and found.provider is not None
        and "ses:Send" in (found.provider.message or "")
    ):
        found.hint = _denied_sender(sender, found)
    return found


def _denied_sender(sender: str, denial: Forbidden) -> str:
    """Return the hint for a denied send. AWS does not report whether a condition on the sender
    caused it, unless it names the key.
    """
    advice = (
        f"the policy's condition on ses:FromAddress must allow '{sender}': send from the address "
        "that it names, or change the policy "
        "('jackfield connections policy NAME --from ADDRESS' prints one)."
    )
    if "fromaddress" in denial.message.casefold():
        return f"{advice[0].upper()}{advice[1:]}"
    return f"{denial.hint or ''} If sending is allowed already, {advice}".strip()
