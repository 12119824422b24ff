"""SMTP settings of other tools as connections: their variables, DSNs and members, each as the
tool's own page writes them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from converting import convert

_HOST = "email-smtp.eu-west-1.amazonaws.com"
_USER, _PASSWORD = "AKIAIOSFODNN7EXAMPLE", "BF0/eI+x=a#b?c"
_LOGIN = {"hostname": _HOST, "username": _USER, "password": _PASSWORD}
_SENDER = "shop@example.com"

_TOOLS: dict[str, tuple[Any, dict[str, Any]]] = {
    # Grafana, "Configure email" (smtp), and environment variables
    "grafana": (
        (
            f'GF_SMTP_ENABLED=true\nGF_SMTP_HOST={_HOST}:587\nGF_SMTP_USER={_USER}\nGF_SMTP_PASSWORD="""{_PASSWORD}"""\n'
            f"GF_SMTP_FROM_ADDRESS={_SENDER}\nGF_SMTP_FROM_NAME=Shop\nGF_SMTP_STARTTLS_POLICY=MandatoryStartTLS\nGF_SMTP_EHLO_IDENTITY=x\n"
        ),
        {"port": 587, "sender": f'"Shop" <{_SENDER}>'},
    ),
    # Sentry self-hosted: environment, and mail in config.yml
    "sentry": (
        (
            f"SENTRY_EMAIL_HOST={_HOST}\nSENTRY_EMAIL_PORT=587\nSENTRY_EMAIL_USER={_USER}\nSENTRY_EMAIL_PASSWORD={_PASSWORD}\n"
            f"SENTRY_EMAIL_USE_TLS=true\nSENTRY_SERVER_EMAIL={_SENDER}\n"
        ),
        {"port": 587, "sender": _SENDER},
    ),
    "sentry config": (
        (
            f"mail.backend: 'smtp'\nmail.host: '{_HOST}'\nmail.port: 465\nmail.username: "
            f"'{_USER}'\nmail.password: '{_PASSWORD}'\n"
            f"mail.use-tls: false\nmail.use-ssl: true\nmail.from: '{_SENDER}'\nsystem.secret-key: "
            "'x'\n"
        ),
        {"port": 465, "sender": _SENDER},
    ),
    # Keycloak, realm representation
    "keycloak": (
        {
            "realm": "acme",
            "enabled": True,
            "smtpServer": {
                "host": _HOST,
                "port": "465",
                "from": _SENDER,
                "fromDisplayName": "Shop",
                "ssl": "true",
                "starttls": "false",
                "auth": "true",
                "authType": "basic",
                "user": _USER,
                "password": _PASSWORD,
            },
        },
        {"port": 465, "sender": f'"Shop" <{_SENDER}>'},
    ),
    # Django, settings reference
    "django": (
        (
            "EMAIL_BACKEND = 'django.core.mail.backends.smtp.EmailBackend'\nEMAIL_HOST = "
            f"'{_HOST}'\nEMAIL_PORT = 465\nEMAIL_USE_SSL = True\n"
            f'EMAIL_HOST_USER = "{_USER}"\nEMAIL_HOST_PASSWORD = "{_PASSWORD}"\nSERVER_EMAIL = '
            '"root@example.com"\n'
            f'DEFAULT_FROM_EMAIL = "Shop <{_SENDER}>"\n'
        ),
        {"port": 465, "sender": f"Shop <{_SENDER}>"},
    ),
    # Nodemailer, SMTP transport
    "nodemailer": (
        {
            "pool": True,
            "host": _HOST,
            "port": 465,
            "secure": True,
            "auth": {"type": "login", "user": _USER, "pass": _PASSWORD},
        },
        {"port": 465},
    ),
    "nodemailer with defaults": (
        {
            "transport": {
                "host": _HOST,
                "port": 587,
                "auth": {"user": _USER, "pass": _PASSWORD},
                "requireTLS": True,
            },
            "defaults": {"from": _SENDER},
        },
        {"port": 587, "sender": _SENDER},
    ),
    # Symfony, Mailer: third-party transports
    "symfony": (
        f"MAILER_DSN=ses+smtp://{_USER}:BF0%2FeI%2Bx%3Da%23b%3Fc@default?region=eu-west-1",
        {"port": 465},
    ),
    "symfony host": (f"ses+smtps://{_USER}:BF0%2FeI%2Bx%3Da%23b%3Fc@{_HOST}:2587", {"port": 2587}),
    # Spring Boot, common application properties
    "spring": (
        (
            f"spring.mail.host={_HOST}\nspring.mail.port=587\nspring.mail.username={_USER}\nspring.mail.password={_PASSWORD}\n"
            "spring.mail.properties.mail.smtp.auth=true\nspring.mail.properties.mail.smtp.starttls.enable=true\n"
        ),
        {"port": 587},
    ),
    # Rails, Action Mailer basics; GitLab, settings
    "rails": (
        {
            "smtp_settings": None,
            "address": _HOST,
            "port": 587,
            "user_name": _USER,
            "password": _PASSWORD,
            "authentication": "plain",
            "enable_starttls_auto": True,
        },
        {"port": 587},
    ),
    "gitlab": (
        (
            f"gitlab_rails['smtp_address'] = \"{_HOST}\"\ngitlab_rails['smtp_port'] = "
            f"587\ngitlab_rails['smtp_user_name'] = \"{_USER}\"\n"
            "gitlab_rails['smtp_password'] = "
            f"\"{_PASSWORD}\"\ngitlab_rails['smtp_enable_starttls_auto'] = true\n"
        ),
        {"port": 587},
    ),
    # The environments of Authentik, of Supabase (GoTrue), Ghost, Nextcloud and Vaultwarden
    "authentik": (
        (
            f"AUTHENTIK_EMAIL__HOST={_HOST}\nAUTHENTIK_EMAIL__PORT=587\nAUTHENTIK_EMAIL__USERNAME={_USER}\nAUTHENTIK_EMAIL__USE_TLS=true\n"
            f"AUTHENTIK_EMAIL__PASSWORD={_PASSWORD}\nAUTHENTIK_EMAIL__FROM={_SENDER}\nAUTHENTIK_EMAIL__TIMEOUT=10\n"
        ),
        {"port": 587, "sender": _SENDER},
    ),
    "gotrue": (
        (
            f"GOTRUE_SMTP_HOST={_HOST}\nGOTRUE_SMTP_PORT=465\nGOTRUE_SMTP_USER={_USER}\nGOTRUE_SMTP_PASS={_PASSWORD}\n"
            f"GOTRUE_SMTP_ADMIN_EMAIL={_SENDER}\n"
        ),
        {"port": 465, "sender": _SENDER},
    ),
    "ghost": (
        (
            f"mail__transport=SMTP\nmail__options__host={_HOST}\nmail__options__port=465\nmail__options__secure=true\n"
            f"mail__options__auth__user={_USER}\nmail__options__auth__pass={_PASSWORD}\nmail__from={_SENDER}\n"
        ),
        {"port": 465, "sender": _SENDER},
    ),
    "nextcloud": (
        f"SMTP_HOST={_HOST}\nSMTP_SECURE=tls\nSMTP_PORT=587\nSMTP_NAME={_USER}\nSMTP_PASSWORD={_PASSWORD}\n",
        {"port": 587},
    ),
    "vaultwarden": (
        f"SMTP_HOST={_HOST}\nSMTP_FROM={_SENDER}\nSMTP_SECURITY=force_tls\nSMTP_PORT=465\nSMTP_USERNAME={_USER}\nSMTP_PASSWORD={_PASSWORD}\n",
        {"port": 465, "sender": _SENDER},
    ),
    # Ory Kratos, courier: the password as it is, which is no URL
    "kratos": (
        f"COURIER_SMTP_CONNECTION_URI=smtps://{_USER}:{_PASSWORD}@{_HOST}:465/",
        {"port": 465},
    ),
}


@pytest.mark.parametrize(("document", "values"), _TOOLS.values(), ids=_TOOLS)
def test_settings_of_a_tool_become_a_connection(document: Any, values: dict[str, Any]) -> None:
    """Host, port, security, user, password and sender arrive as the tool means them."""
    found = convert("smtp", document)
    assert found["refused"] == []
    assert found["connections"]["smtp"]["values"] == {**_LOGIN, **values}
    assert _PASSWORD not in json.dumps([found["differences"], found["refused"]])


_TAILS: dict[str, dict[str, Any]] = {
    "": {"port": 587},
    ":465": {"port": 465},
    ":2587/": {"port": 2587},
    ":587/?from=a@b.cd": {"port": 587, "sender": "a@b.cd"},
    ":587?skip_ssl_verify=true": {"port": 587},
}


@pytest.mark.parametrize("tail", _TAILS)
@pytest.mark.parametrize(
    "password",
    [
        "BF0/eI+x=",
        "a/b",
        "12/34",
        "p#x",
        "p?x",
        "p@x",
        "p@x/y",
        "a/b@c",
        "a:b",
        "100%",
        "a%2Fb%zz",
        "/",
        "//",
        "[x]",
    ],
)
def test_all_before_the_last_at_sign_is_the_login(password: str, tail: str) -> None:
    """Also with characters that a URL must encode; a note says so, and has nothing of the
    password.
    """
    found = convert("smtp", f"smtp://{_USER}:{password}@{_HOST}{tail}")
    assert found["connections"]["smtp"]["values"] == {
        "hostname": _HOST,
        "username": _USER,
        "password": password,
        **_TAILS[tail],
    }
    told = any("percent-encode" in note["message"] for note in found["differences"])
    assert told is bool(set(password) & set("/?#@"))
    assert not any(f"'{password}'" in note["message"] for note in found["differences"])


def test_a_password_that_is_encoded_is_decoded() -> None:
    """Percent-encoding that is complete counts; '+' is no space."""
    values = convert("smtp", f"smtps://{_USER}:BF0%2FeI+x%3D@{_HOST}")["connections"]["smtp"][
        "values"
    ]
    assert values["password"] == "BF0/eI+x="


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ("ses+api://AKI:secret@default?region=eu-west-1", "/url", "aws/apiKeySecret"),
        ("MAILER_DSN=ses://AKI:secret@default", "/MAILER_DSN", "aws/apiKeySecret"),
        ("ses+smtp://ASIA:secret@default?session_token=x", "/url", "session token"),
        ("smtp://user:pass@", "/url", "no URL"),
        ("smtp://", "/url", "no URL"),
        ("smtp://a b/@ c", "/url", "no URL"),
        (
            f"EMAIL_HOST = '{_HOST}'\nEMAIL_HOST_PASSWORD = os.environ['P']\n",
            "/EMAIL_HOST_PASSWORD",
            "elsewhere",
        ),
        (f"SMTP_HOST={_HOST}\nSMTP_PASSWORD=${{PASSWORD}}\n", "/SMTP_PASSWORD", "elsewhere"),
        ("IMAP_MAIL_HOST=imap.example.com\n", "", "no SMTP server"),
    ],
)
def test_settings_that_are_no_connection_are_refused(document: str, path: str, words: str) -> None:
    """The refusal says what to do instead."""
    found = convert("smtp", document)
    assert (found["connections"], [note["path"] for note in found["refused"]]) == ({}, [path])
    assert words in found["refused"][0]["message"]


def test_what_a_tool_skips_is_told() -> None:
    """Certificates are verified whatever the tool had; unknown settings are named."""
    found = convert(
        "smtp",
        f"GF_SMTP_HOST={_HOST}:587\nGF_SMTP_USER=u\nGF_SMTP_PASSWORD=p\nGF_SMTP_SKIP_VERIFY=true\nGF_SMTP_CERT_FILE=x\n",
    )
    told = {note["path"]: note["message"] for note in found["differences"]}
    assert "always verified" in told["/GF_SMTP_SKIP_VERIFY"]
    assert "not a known setting" in told["/GF_SMTP_CERT_FILE"]
