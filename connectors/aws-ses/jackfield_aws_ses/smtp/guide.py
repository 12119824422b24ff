"""The setup guide of the connection type ``smtp``, in Markdown."""

__all__ = ["SMTP_GUIDE"]

SMTP_GUIDE = """
Send through the SMTP interface of Amazon SES: over the public endpoints, or from a private network over a private endpoint (AWS
PrivateLink, SAP Private Link service), which reaches SMTP and not the HTTPS API. Only mail can be sent this way; identities cannot be
listed.

## 1. The host name

- Public: `email-smtp.<region>.amazonaws.com`, for instance `email-smtp.eu-west-1.amazonaws.com`.
- AWS PrivateLink: create an interface endpoint for the service `com.amazonaws.<region>.email-smtp`, and copy its DNS name,
  `vpce-….email-smtp.<region>.vpce.amazonaws.com`. Its security group must let in the port that you use.
- SAP Private Link service: create a service instance with the parameter `{"serviceName": "com.amazonaws.<region>.email-smtp"}`, bind it
  to the app, and copy `hostname` from the credentials of the binding.

Copy it into *Host Name*. The certificate of the server is always verified, for this name. Where your endpoint shows the certificate of the
public one, set *TLS Server Name* to that name, such as `email-smtp.<region>.amazonaws.com`.

## 2. The port

| port | TLS begins |
| --- | --- |
| 2587 (the default), 587, 25 | with STARTTLS, which is required |
| 2465, 465 | with the first byte |

Nothing is ever sent in clear text. AWS throttles port 25 and blocks it on most EC2 instances.

## 3. The credentials

Either SMTP credentials of SES:

1. In the SES console of the endpoint's region, open **SMTP settings** and select **Create SMTP credentials**.
2. Copy the **SMTP user name** and the **SMTP password** into *User Name* and *Password*. The password holds for that region only.

Or the access key of an IAM user:

1. In the IAM console, give the user an inline policy that allows `ses:SendRawEmail`, and nothing else:

```json
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ses:SendRawEmail", "Resource": "*"}]}
```

2. Copy its **Access key** and **Secret access key** into *Access Key ID* and *Secret Access Key*. The SMTP password is derived from them
   for the region in the host name; where that names none, set *AWS Region*.

[Temporary credentials](https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html) (a role, a session token) cannot sign in to SMTP.

Testing the connection connects, verifies the certificate and signs in; it sends nothing.
"""
