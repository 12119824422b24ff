"""Catalogue of the doctor's findings: possible faults in a sender's setup, their fixes, and their
source documents.
"""

from __future__ import annotations

from collections.abc import Mapping

from jackfield_aws_ses.finding import Finding, Kind, filled

_GUIDE = "https://docs.aws.amazon.com/ses/latest/dg/"
_VERIFY = f"{_GUIDE}creating-identities.html"
_SANDBOX = f"{_GUIDE}request-production-access.html"
_RIGHTS = f"{_GUIDE}control-user-access.html"
_QUOTA = f"{_GUIDE}manage-sending-quotas.html"
_BOUNCES = f"{_GUIDE}sending-email-suppression-list.html"
_REVIEW = f"{_GUIDE}faqs-enforcement.html"
_DKIM = f"{_GUIDE}send-email-authentication-dkim-easy.html"
_MAIL_FROM = f"{_GUIDE}mail-from.html"
_SPF = f"{_GUIDE}send-email-authentication-spf.html; RFC 7208"
_DMARC = f"{_GUIDE}send-email-authentication-dmarc.html"
_LINK = f"{_GUIDE}send-email-set-up-vpc-endpoints.html"
_ROLE = (
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html"
)


KINDS: Mapping[str, Kind] = {
    "endpoint_without_v2": Kind(
        "error",
        "The endpoint in {region} lacks version 2 of the SES API: 'sendEmail' and 'sendRawEmail' "
        "try version 1, other sends fail.",
        "Correct the connection's 'endpoint', or remove it to use AWS's own endpoint.",
        f"{_GUIDE}regions.html",
    ),
    "account_unreadable": Kind(
        "error",
        "The SES account in {region} cannot be read.",
        "Fix the problem that the evidence shows, then run the doctor again.",
        _RIGHTS,
    ),
    "permission_missing": Kind(
        "warning",
        "The credentials may not call {operation}, so that part of the setup was not checked.",
        "Allow {permission}: 'jackfield connections policy NAME' prints the policy.",
        _RIGHTS,
    ),
    "external_id_missing": Kind(
        "warning",
        "The role is assumed without an External ID.",
        "Set 'externalId' in the connection, and require it in the role's trust policy.",
        _ROLE,
    ),
    "sending_paused": Kind(
        "error",
        "Sending is paused for the account in {region}.",
        "Find the reason in the SES console (Account dashboard), then resume sending there.",
        _REVIEW,
    ),
    "account_on_probation": Kind(
        "warning",
        "AWS has put the account in {region} under review.",
        "Answer the case that AWS Support has opened, and lower the bounce and complaint rates, "
        "before AWS pauses sending.",
        _REVIEW,
    ),
    "account_shut_down": Kind(
        "error",
        "AWS has ended this account's right to send in {region}.",
        "Contact AWS Support through the case that announced it.",
        _REVIEW,
    ),
    "sandbox": Kind(
        "warning",
        "The account is in the sandbox in {region}: SES delivers to verified recipients and to "
        "its mailbox simulator only.",
        "Run the action requestProductionAccess, or in the SES console open Account dashboard "
        "and select Request production access.",
        _SANDBOX,
    ),
    "quota_used_up": Kind(
        "error",
        "The 24-hour sending quota is used up in {region}.",
        "Wait until earlier messages leave the 24-hour window, or request a higher quota in "
        "Service Quotas.",
        _QUOTA,
    ),
    "quota_nearly_used": Kind(
        "warning",
        "More than {share:.0%} of the 24-hour sending quota is used in {region}.",
        "Spread sending over the day, or request a higher quota in Service Quotas.",
        _QUOTA,
    ),
    "suppression_off": Kind(
        "warning",
        "The account adds neither bounces nor complaints to its suppression list in {region}.",
        "Turn the account-level suppression list on for bounces and complaints.",
        _BOUNCES,
    ),
    "sender_not_verified": Kind(
        "error",
        "Neither {sender} nor its domain is a verified identity in {region}.",
        "Run the action createIdentity for the domain, publish the DNS records that it returns, "
        "and wait until SES has verified it.",
        _VERIFY,
    ),
    "sender_in_other_region": Kind(
        "error",
        "{sender} is verified in another region, but not in {region}.",
        "Send from the region shown in the evidence, or create the identity in {region} too.",
        _VERIFY,
    ),
    "sender_pending": Kind(
        "error",
        "The identity {identity} is awaiting verification in {region}.",
        "For an address, open the link in the email from AWS. For a domain, publish the DNS "
        "records that getIdentity returns; "
        "SES may take up to 72 hours.",
        _VERIFY,
    ),
    "sender_failed": Kind(
        "error",
        "The verification of the identity {identity} has failed in {region}.",
        "Delete the identity, create it again, and publish its DNS records within 72 hours.",
        _VERIFY,
    ),
    "address_only": Kind(
        "warning",
        "Only the address {sender} is verified, not its domain, so SES signs with its own domain "
        "and DMARC does not align.",
        "Run the action createIdentity for the domain {domain}, and publish the DNS records that "
        "it returns.",
        _DKIM,
    ),
    "dkim_off": Kind(
        "warning",
        "DKIM signing is off for {identity}.",
        "Turn DKIM signing on for the identity in the SES console.",
        _DKIM,
    ),
    "dkim_pending": Kind(
        "warning",
        "SES has not yet found the DKIM records of {identity}.",
        "Publish the three CNAME records that getIdentity returns; SES may take up to 72 hours "
        "to see them.",
        _DKIM,
    ),
    "dkim_failed": Kind(
        "error",
        "SES gave up looking for the DKIM records of {identity}.",
        "Publish the three CNAME records that getIdentity returns, then restart DKIM in the SES "
        "console.",
        _DKIM,
    ),
    "dkim_record_missing": Kind(
        "error", "A DKIM record of {identity} is not in DNS.", "Publish {record}.", _DKIM
    ),
    "dkim_record_wrong": Kind(
        "error",
        "A DKIM record of {identity} has a different value than SES requires.",
        "Publish {record}.",
        _DKIM,
    ),
    "mail_from_pending": Kind(
        "warning",
        "SES has not verified the MAIL FROM domain {mail_from}.",
        "Publish its MX and SPF records; SES may take up to 72 hours to see them.",
        _MAIL_FROM,
    ),
    "mail_from_mx_missing": Kind(
        "error",
        "The MAIL FROM domain {mail_from} has no MX record.",
        "Publish {record}.",
        _MAIL_FROM,
    ),
    "mail_from_mx_wrong": Kind(
        "error",
        "The MX record of the MAIL FROM domain {mail_from} does not point to the feedback host "
        "for {region}.",
        "Publish {record} as the only MX record of that domain.",
        _MAIL_FROM,
    ),
    "mail_from_spf_missing": Kind(
        "error",
        "The MAIL FROM domain {mail_from} has no SPF record.",
        "Publish {record}.",
        _MAIL_FROM,
    ),
    "spf_missing": Kind(
        "warning",
        "{domain} has no SPF record that includes Amazon SES.",
        "Publish {record}, or add include:amazonses.com to the existing SPF record.",
        _SPF,
    ),
    "spf_several": Kind(
        "error",
        "{domain} has several SPF records, which makes every SPF check fail.",
        "Merge them into one record that contains include:amazonses.com.",
        _SPF,
    ),
    "dmarc_missing": Kind("warning", "{domain} has no DMARC record.", "Publish {record}.", _DMARC),
    "dmarc_wrong": Kind(
        "warning",
        "The DMARC record of {domain} is not valid, so receivers ignore it.",
        "Publish exactly one record that begins with 'v=DMARC1; p=', such as {record}.",
        _DMARC,
    ),
    "dns_unreachable": Kind(
        "warning",
        "DNS could not be queried for {name}, so its records were not checked.",
        "Check this machine's resolver, or set one in JACKFIELD_DNS_SERVERS.",
        _DKIM,
    ),
    "feedback_off": Kind(
        "warning",
        "Nobody is notified of bounces and complaints for {identity}: feedback by email is off, "
        "and the identity has no configuration set.",
        "Turn feedback forwarding on, or assign a configuration set with an event destination.",
        _BOUNCES,
    ),
    "recipient_suppressed": Kind(
        "error",
        "SES does not deliver to {recipient}: the address is on the suppression list in {region}.",
        "If the address works again, run the action deleteSuppressedRecipient; otherwise stop "
        "sending to it.",
        _BOUNCES,
    ),
    "recipient_not_verified": Kind(
        "error",
        "The account is in the sandbox in {region}, and {recipient} is not verified there.",
        "Verify the recipient with createIdentity, send to success@simulator.amazonses.com, or "
        "request production access.",
        _SANDBOX,
    ),
    "region_differs": Kind(
        "error",
        "The SMTP endpoint is in {found}, not in {region}.",
        "Use the endpoint of {region}, or omit 'awsRegion': over SMTP, the endpoint determines "
        "the region.",
        _LINK,
    ),
    "port_throttled": Kind(
        "warning",
        "Port 25 is throttled by AWS on many machines.",
        "Use port 587 or 2587 (STARTTLS), or 465 or 2465 (TLS).",
        f"{_GUIDE}smtp-connect.html",
    ),
    "link_of_one_zone": Kind(
        "warning",
        "The host name of the private endpoint belongs to one Availability Zone, so sending "
        "stops when that zone fails.",
        "Use the endpoint's regional name: the one without the zone.",
        _LINK,
    ),
    "link_zone_unsupported": Kind(
        "warning",
        "In {region} some Availability Zones have no private endpoint of SES, and this host name "
        "belongs to one zone.",
        "Check that the zone is not among those in the evidence, or use the endpoint's regional "
        "name.",
        _LINK,
    ),
}
"""All findings by code. Codes are stable; the reference lists them."""


def finding(code: str, evidence: str, **values: object) -> Finding:
    """Return the finding ``code`` with its templates filled in."""
    return filled(KINDS, code, evidence, values)
