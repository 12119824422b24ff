"""Setup guides of the connection types, in Markdown."""

_POLICY = """
```json
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["ses:SendEmail", "ses:SendRawEmail", "ses:ListIdentities", "ses:ListEmailIdentities", "ses:GetAccount"],
      "Resource": "*"
    }
  ]
}
```
"""

_LEAST = """
This policy allows sending, listing the senders and testing the connection; other actions need more permissions. A policy such as
AmazonSESFullAccess would allow far more than necessary. AWS describes all permissions in
[access control in Amazon SES](https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html). The page of a saved connection in the
console shows the policy for all actions. For some actions and one sender, use
`jackfield connections policy NAME --actions sendEmail,getIdentity --from noreply@example.com`.
<policy>
""".replace("<policy>\n", _POLICY)

ROLE_GUIDE = """
Sign in with an IAM role that jackfield assumes for an hour at a time. The role and the user can be in different accounts.

## 1. Create the user who assumes the role

1. In the IAM console, open **Users** and select **Create user**. The user needs no console access and no permissions yet.
2. Open the user and copy its **ARN** from the summary.
3. Under **Security credentials**, select **Create access key**, then **Third-party service**.
4. Copy the **Access key** and the **Secret access key** into *Access Key ID* and *Secret Access Key*.

On a machine with its own AWS identity (an instance, task or pod role), leave both keys empty: that identity assumes the role.

## 2. Create the role

jackfield generates the External ID when you save a connection. So choose the role's name, enter its future ARN as *Role ARN*, save the
connection without testing it, and create the role from the connection's policies. The connection's page in the console shows them, with
a CloudFormation template and a Terraform configuration; so does `jackfield connections policy NAME`. To create the role by hand:

1. Open **Roles** and select **Create role**, then **Custom trust policy**.
2. Paste the connection's trust policy, which looks like this, with the user's ARN and the connection's External ID.

```json
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {"AWS": "arn:aws:iam::111122223333:user/jackfield"},
      "Action": "sts:AssumeRole",
      "Condition": {"StringEquals": {"sts:ExternalId": "YOUR-EXTERNAL-ID"}}
    }
  ]
}
```

The External ID prevents another customer of the same platform from using your role
([the confused deputy](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html#id_roles_third-party_external-id)).
The connection test warns if the role can be assumed without it. In a connection file, you choose the External ID yourself: use a long
random string, different for each customer.

3. Create the role without permissions policies, then attach this inline policy.
<least>
4. Compare the role's **ARN** with *Role ARN*, then test the connection.

## 3. Let the user assume the role

If the user and the role are in different accounts, the user also needs an inline policy that allows `sts:AssumeRole` on the role's ARN.
""".replace("<least>", _LEAST)

ACCESS_KEY_GUIDE = """
Sign in with the access key of an IAM user. The key does not expire, so prefer a role if you can.

1. In the IAM console, open **Users** and select **Create user**. The user needs no console access.
2. Attach this inline policy to the user.
<least>
3. Under **Security credentials**, select **Create access key**, then **Third-party service**.
4. Copy the **Access key** and the **Secret access key** into *Access Key ID* and *Secret Access Key*.

An [access key pair](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html) with a *Session Token* is temporary:
it works until it expires; jackfield cannot renew it.
""".replace("<least>", _LEAST)

AMBIENT_GUIDE = """
Sign in with the AWS identity of the server that runs jackfield. Nothing is stored. The standard sources are searched in AWS's order:
environment variables, the profile in `~/.aws`, IAM Identity Center (`aws sso login`), web identity (EKS), the container's role (ECS) and
the instance's role (EC2).

1. Attach this inline policy to that identity.
<least>
2. To use a profile from `~/.aws/config`, enter its name in *Profile*.
3. On a machine outside EC2, select *Skip the Instance Metadata Service* to avoid waiting for it.
""".replace("<least>", _LEAST)

ANYWHERE_GUIDE = """
Sign in with an X.509 certificate of your own authority and a role: [IAM Roles
Anywhere](https://docs.aws.amazon.com/rolesanywhere/latest/userguide/introduction.html) needs no access key that lives for ever. jackfield
signs with the certificate's private key, gets a session of the role, and renews it before it expires.

1. In the IAM Roles Anywhere console, create a **trust anchor** from the authority that issues your certificates, and copy its ARN.
2. Create the role with this trust policy. The page of a saved connection, and `jackfield connections policy NAME`, show it with your trust
   anchor and with the common name of your certificate.

```json
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {"Service": "rolesanywhere.amazonaws.com"},
      "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
      "Condition": {
        "ArnEquals": {"aws:SourceArn": "YOUR-TRUST-ANCHOR-ARN"},
        "StringEquals": {"aws:PrincipalTag/x509Subject/CN": "YOUR-COMMON-NAME"}
      }
    }
  ]
}
```

3. Attach this inline policy to the role.
<least>
4. Create a **profile** that lists the role, in the same region, and copy its ARN.
5. Paste the certificate and its private key in PEM form, the key without a passphrase. Certificates between yours and the trust anchor
   follow it in *Certificate*.
6. Replace the values before the certificate expires: the connection test tells the day.
""".replace("<least>", _LEAST)
