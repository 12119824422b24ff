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
This is what sending, the choice of senders and the connection's test need; other actions need theirs. A policy such as AmazonSESFullAccess
would allow far more. AWS describes all of them in
[access control in Amazon SES](https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html). For a saved connection, its page in the
console shows the policy of all actions, and `jackfield connections policy NAME --actions sendEmail,getIdentity --from noreply@example.com`
that of some, for one sender.
<policy>
""".replace("<policy>\n", _POLICY)

ROLE_GUIDE = """
Sign in with an IAM role that is assumed for an hour at a time. The role can live in another account than the user.

## 1. Create the user who assumes the role

1. In the IAM console, open **Users** and select **Create user**. It needs no access to the console and no permissions yet.
2. Open the user and copy its **ARN** from the summary.
3. Under **Security credentials**, select **Create access key**, then **Third-party service**.
4. Copy the **Access key** and the **Secret access key** into *Access Key ID* and *Secret Access Key*.

On a machine that has an AWS identity of its own (an instance, task or pod role), leave both keys out: that identity assumes the role.

## 2. Create the role

When a connection is saved, jackfield generates its External ID. So choose the role's name, enter its future ARN as *Role ARN*, save the
connection untested, and use the policies made for it: the connection's page in the console shows them, with a CloudFormation template and a
Terraform configuration that create the role. `jackfield connections policy NAME` prints the same. By hand:

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

The External ID keeps another customer of the same platform from having your role assumed for them
([the confused deputy](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html#id_roles_third-party_external-id)).
Testing the connection says so when the role can be assumed without it. Only in a connection file do you choose it yourself: a long random
text, different for each customer.

3. Create the role without permissions policies, then attach an inline policy to it.
<least>
4. Compare the role's **ARN** with *Role ARN*, then test the connection.

## 3. Let the user assume the role

In another account than the role's, the user also needs an inline policy that allows `sts:AssumeRole` on the role's ARN.
""".replace("<least>", _LEAST)

ACCESS_KEY_GUIDE = """
Sign in with the access key of an IAM user. The key does not expire, so prefer a role where you can.

1. In the IAM console, open **Users** and select **Create user**. It needs no access to the console.
2. Attach an inline policy to it.
<least>
3. Under **Security credentials**, select **Create access key**, then **Third-party service**.
4. Copy the **Access key** and the **Secret access key** into *Access Key ID* and *Secret Access Key*.

An [access key pair](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html) with a *Session Token* is temporary:
it works until it expires, and is not renewed.
""".replace("<least>", _LEAST)

AMBIENT_GUIDE = """
Sign in as the machine that jackfield runs on: nothing is stored. AWS's usual places are looked through in AWS's usual order:
environment variables, the profile in `~/.aws`, IAM Identity Center (`aws sso login`), web identity (EKS), the container's role (ECS) and
the instance's role (EC2).

1. Give that identity an inline policy.
<least>
2. To use a profile of `~/.aws/config`, name it in *Profile*.
3. On a machine outside of EC2, *Do Not Ask the Instance Metadata Service* saves the wait for a service that is not there.
""".replace("<least>", _LEAST)
