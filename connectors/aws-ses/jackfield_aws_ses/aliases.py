"""Names that Dapr, Thand, SAP BTP and Prismatic use for the same settings, as data for the
manifest.

The shape of an alias is defined in ``jackfield.connections.aliases``; the source of each name is in
docs/compatibility.md.
"""

from collections.abc import Mapping
from typing import Any

_ROLE, _KEYS, _AMBIENT, _SMTP = (
    "aws/awsAssumeRole",
    "aws/apiKeySecret",
    "aws/awsDefault",
    "aws-ses/smtp",
)

# Dapr, bindings.aws.ses

_DAPR_PLACE = {"emailFrom": "sender", "region": "region", "endpoint": "endpoint"}
_DAPR_KEYS = {
    "accessKey": "accessKeyId",
    "secretKey": "secretAccessKey",
    "sessionToken": "sessionToken",
}
_DAPR_ROLE = {"assumeRoleArn": "roleARN", "externalId": "externalId", "stsEndpoint": "stsEndpoint"}
_DAPR_ANYWHERE = {
    "type": "aws/awsRolesAnywhere",
    "values": {
        "trustAnchorArn": "trustAnchorArn",
        "trustProfileArn": "profileArn",
        "assumeRoleArn": "roleARN",
        "certificate": "certificate",
        "certificatePath": {"name": "certificate", "file": True},
        "privateKey": "privateKey",
        "privateKeyPath": {"name": "privateKey", "file": True},
        "rolesAnywhereEndpoint": "rolesAnywhereEndpoint",
        **_DAPR_PLACE,
    },
    "needs": [
        "trustAnchorArn",
        "trustProfileArn",
        "assumeRoleArn",
        "certificate|certificatePath",
        "privateKey|privateKeyPath",
    ],
    "why": (
        "a sidecar of Dapr signs in to IAM Roles Anywhere by its own SPIFFE identity, which "
        "jackfield does not have; it needs the ARNs of "
        "trust anchor, profile and role, a certificate of yours, and its private key"
    ),
}
_DAPR = {
    "operations": {"create": "sendEmail"},
    "connections": [
        *({"when": [name], **_DAPR_ANYWHERE} for name in ("trustAnchorArn", "trustProfileArn")),
        {
            "when": ["assumeRoleArn", "accessKey", "secretKey"],
            "type": _ROLE,
            "values": {**_DAPR_ROLE, **_DAPR_KEYS, **_DAPR_PLACE},
        },
        {"when": ["assumeRoleArn"], "type": _ROLE, "values": {**_DAPR_ROLE, **_DAPR_PLACE}},
        {
            "when": ["accessKey", "secretKey"],
            "type": _KEYS,
            "values": {**_DAPR_KEYS, **_DAPR_PLACE},
        },
        {"type": _AMBIENT, "values": _DAPR_PLACE},
    ],
    "inputs": {
        "emailFrom": "sender",
        "emailTo": "to",
        "emailCc": "cc",
        "emailBcc": "bcc",
        "subject": "subject",
    },
    "lists": ["emailTo", "emailCc", "emailBcc"],
    "separator": ";",
    "defaults": {"region": ["$AWS_REGION", "$AWS_DEFAULT_REGION"]},
    "expected": ["region"],
    "needed": ["emailFrom", "emailTo", "subject"],
    "data": "html",
    "members": [
        "text",
        "html",
        "attachments",
        "calendar",
        "replyTo",
        "headers",
        "tags",
        "configurationSetName",
        "returnPath",
        "listUnsubscribe",
    ],
    "result": {"messageId": "MessageId"},
    "messages": {
        "absent": (
            "SES binding error: {field} property not supplied in configuration- or request-metadata"
        ),
        "data": "SES binding error. Can't unquote data field: {reason}",
        "failed": "SES binding error. Sending email failed: {reason}",
    },
}

# Thand, email.ses and email.smtp

_MISSING = "missing email configuration field(s): [{fields}]"
_NOTIFY = {
    "operations": {"notify": "sendEmail"},
    "kind": "email",
    "inputs": {
        "from": "sender",
        "to": "to",
        "cc": "cc",
        "bcc": "bcc",
        "reply_to": "replyTo",
        "subject": "subject",
        "text": "text",
        "html": "html",
        "attachments": "attachments",
        "configuration_set": "configurationSetName",
        "tags": "tags",
    },
    "messages": {"missing": _MISSING},
}
_THAND_PLACE = {
    "from": "sender",
    "region": "region",
    "endpoint": "endpoint",
    "platform": None,
    "credentials_order": None,
    "prefer_role": None,
}
_THAND_KEYS = {
    "access_key_id": "accessKeyId",
    "secret_access_key": "secretAccessKey",
    "session_token": "sessionToken",
}
_THAND_PROFILE = {"profile": "profile", "imds_disable": "disableImds"}
_THAND_ROLE = {"role_arn": "roleARN", "external_id": "externalId"}
_BOTH = ["access_key_id", "secret_access_key"]
_THAND_SES = {
    **_NOTIFY,
    "required": ["from"],
    # the document's order: keys, profile, role of the machine, environment; the program's has the
    # last two the other way round
    "defaults": {"region": ["us-east-1"], "prefer_role": ["true"]},
    "connections": [
        {
            "when": ["credentials_order=code", "profile"],
            "type": _AMBIENT,
            "values": {**_THAND_PLACE, **_THAND_PROFILE},
        },
        {
            "when": ["role_arn", *_BOTH],
            "type": _ROLE,
            "values": {**_THAND_PLACE, **_THAND_ROLE, **_THAND_KEYS, "imds_disable": None},
        },
        {"when": ["role_arn"], "type": _ROLE, "values": {**_THAND_PLACE, **_THAND_ROLE}},
        {
            "when": _BOTH,
            "type": _KEYS,
            "values": {**_THAND_PLACE, **_THAND_KEYS, "imds_disable": None},
        },
        *(
            {"when": [condition], "type": _AMBIENT, "values": {**_THAND_PLACE, **_THAND_PROFILE}}
            for condition in ("profile", "credentials_order=code")
        ),
        {
            "type": _AMBIENT,
            "values": {**_THAND_PLACE, **_THAND_PROFILE, "prefer_role": "preferRole"},
        },
    ],
}
_THAND_SMTP = {
    **_NOTIFY,
    "required": ["host", "port", "user", "pass"],
    "refused": {
        "tls_skip_verify": (
            "a certificate is always verified: let SSL_CERT_FILE name the server's "
            "certificate or its authority"
        )
    },
    "connections": [
        {
            "type": _SMTP,
            "values": {
                "host": "hostname",
                "port": "port",
                "user": "username",
                "pass": "password",
                "from": "sender",
                "platform": None,
                "tls_server_name": "tlsServerName",
                "security": "security",
                "tls_skip_verify": None,
            },
        },
    ],
}

# SAP BTP, a Private Link service bound to an application

_HOST = {"name": "hostname", "pattern": "^(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:[^@/]*@)?([^:/?#]+)"}
_PORT = {"name": "port", "pattern": "^(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:[^@/]*@)?[^:/?#]+:([0-9]+)"}
_REGION_OF_SERVICE = {
    "name": "awsRegion",
    "pattern": "^com[.]amazonaws[.]?([a-z0-9-]+)[.]email-smtp$",
}
_VCAP_PLACE: dict[str, Any] = {
    "hostname": [_HOST, _PORT],
    "host": [_HOST, _PORT],
    "uri": [_HOST, _PORT],
    "port": "port",
    "serviceName": _REGION_OF_SERVICE,
    "region": "awsRegion",
    "awsRegion": "awsRegion",
    "aws_region": "awsRegion",
    "from": "sender",
    "sender": "sender",
    "tlsServerName": "tlsServerName",
    "tls_server_name": "tlsServerName",
    "security": "security",
    "sessionToken": "sessionToken",
    "session_token": "sessionToken",
    "AWS_SESSION_TOKEN": "sessionToken",
}
_USERS = ("username", "user", "smtp_username", "SMTP_USERNAME")
_PASSWORDS = ("password", "pass", "smtp_password", "SMTP_PASSWORD")
_VCAP_LOGIN = {**dict.fromkeys(_USERS, "username"), **dict.fromkeys(_PASSWORDS, "password")}
_IDS = ("access_key_id", "accessKeyId", "AWS_ACCESS_KEY_ID", *_USERS)
_SECRETS = ("secret_access_key", "secretAccessKey", "AWS_SECRET_ACCESS_KEY")
_BARE = (
    "Bind a user-provided service with 'username' and 'password' (SMTP credentials of SES), or "
    "with 'access_key_id' and "
    "'secret_access_key', to the same application: cf create-user-provided-service "
    "mail-credentials -p "
    '\'{"username": "…", "password": "…"}\'. Or add them on import: jackfield connections import '
    "FILE --values VALUES.json."
)
_PARAMETERS = (
    "these parameters create a private link; to use it, bind it to an application, and bring the "
    "credentials of the binding: the JSON of "
    "VCAP_SERVICES, as 'cf env' prints it"
)
_VCAP = {
    "operations": {"send": "sendEmail"},
    "host": ["hostname", "host", "uri"],
    # AWS's private hosts name their service; a host of another shape may be a customer's own name
    # for one
    "hosts": "[.]email-smtp[.]|^(?!.*[.]vpce[.]amazonaws[.]com)",
    "companions": [*_PASSWORDS, "from", "to", *_IDS, *_SECRETS],
    "secrets": [*_PASSWORDS, *_SECRETS],
    "parameters": ["serviceName"],
    "connections": [
        *(
            {"when": [name], "type": _SMTP, "values": {**_VCAP_PLACE, **_VCAP_LOGIN}}
            for name in _PASSWORDS
        ),
        *(
            {
                "when": [secret],
                "type": _SMTP,
                "values": {
                    **_VCAP_PLACE,
                    **dict.fromkeys(_IDS, "accessKeyId"),
                    secret: "secretAccessKey",
                },
            }
            for secret in _SECRETS
        ),
        {"type": _SMTP, "values": {**_VCAP_PLACE, **_VCAP_LOGIN}},
    ],
    "inputs": {"to": "to"},
    "messages": {"bare": _BARE, "parameters": _PARAMETERS},
}

# Prismatic, the component Amazon SES

_PRISMATIC_KEYS = {"accessKeyId": "accessKeyId", "secretAccessKey": "secretAccessKey"}
_PRISMATIC = {
    "operations": {"sendEmail": "sendEmail", "listIdentities": "listIdentities"},
    "files": ["attachments"],
    "connections": [
        {
            "when": ["key=awsAssumeRole"],
            "type": _ROLE,
            "values": {"roleARN": "roleARN", "externalId": "externalId", **_PRISMATIC_KEYS},
        },
        {"when": ["key=apiKeySecret"], "type": _KEYS, "values": _PRISMATIC_KEYS},
    ],
}

ALIASES: Mapping[str, Any] = {
    "dapr": {"bindings.aws.ses": _DAPR},
    "thand": {
        "email": {
            "by": "platform",
            "usual": "smtp",
            "variants": {"ses": "email.ses", "smtp": "email.smtp"},
        },
        "email.ses": _THAND_SES,
        "email.smtp": _THAND_SMTP,
    },
    "vcap": {"privatelink": _VCAP},
    "prismatic": {"aws-ses": _PRISMATIC},
}
"""Aliases by format, then by the name in that format."""
