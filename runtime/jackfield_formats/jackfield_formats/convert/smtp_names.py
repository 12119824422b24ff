"""Names of SMTP settings in tools: variables, members of JSON, keys of property files."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAMES: Mapping[str, tuple[str, ...]] = {
    "url": (
        "smtp_url",
        "mailer_dsn",
        "mailer_url",
        "mail_url",
        "email_url",
        "smtp_connection_uri",
        "smtp_uri",
        "smtp_dsn",
        "url",
    ),
    "service": ("service",),
    "hostname": (
        "smtp_host",
        "smtp_hostname",
        "smtp_server",
        "smtp_address",
        "smtp_addr",
        "smtphost",
        "smtp_relay_host",
        "mail_host",
        "mail_server",
        "email_host",
        "smarthost",
        "host",
        "hostname",
        "address",
    ),
    "port": ("smtp_port", "smtpport", "mail_port", "email_port", "port"),
    "username": (
        "smtp_user",
        "smtp_username",
        "smtp_user_name",
        "smtp_login",
        "smtp_name",
        "smtp_auth_username",
        "mail_username",
        "mail_user",
        "email_host_user",
        "email_user",
        "email_username",
        "auth_username",
        "user",
        "username",
        "user_name",
    ),
    "password": (
        "smtp_pass",
        "smtp_password",
        "smtp_passwd",
        "smtp_auth_password",
        "mail_password",
        "mail_pass",
        "email_host_password",
        "email_password",
        "auth_password",
        "pass",
        "passwd",
        "password",
    ),
    "sender": (
        "smtp_from",
        "smtp_sender",
        "smtp_from_email",
        "smtp_from_address",
        "smtp_mail_from",
        "smtp_admin_email",
        "mail_from_address",
        "mail_from",
        "mail_default_sender",
        "default_from_email",
        "email_from",
        "email_from_address",
        "from_address",
        "from",
        "sender",
    ),
    "senderName": ("from_name", "smtp_sender_name", "sender_name", "fromdisplayname"),
    "otherSender": ("server_email",),
    "tls": (
        "smtp_ssl",
        "smtp_use_ssl",
        "smtp_ssl_enable",
        "mail_use_ssl",
        "email_use_ssl",
        "mail_ssl",
        "email_ssl",
        "secure",
        "smtp_secure",
        "smtpsecure",
        "ssl",
        "use_ssl",
    ),
    "starttls": (
        "smtp_tls",
        "smtp_use_tls",
        "smtp_starttls",
        "smtp_starttls_enable",
        "smtp_starttls_required",
        "smtp_starttls_policy",
        "starttls_policy",
        "smtp_enable_start_tls",
        "enable_starttls",
        "enable_starttls_auto",
        "mail_use_tls",
        "mail_tls",
        "email_use_tls",
        "email_tls",
        "requiretls",
        "require_tls",
        "smtp_require_tls",
        "starttls",
        "use_tls",
    ),
    "encryption": (
        "mail_encryption",
        "smtp_encryption",
        "smtp_security",
        "email_security",
        "mail_scheme",
        "smtp_protocol",
        "encryption",
    ),
    "tlsServerName": ("servername", "smtp_tls_server_name", "tls_server_name"),
    "unverified": ("rejectunauthorized", "verify_peer", "smtp_tls_verify", "tls_verify"),
    "skipped": (
        "smtp_skip_verify",
        "skip_verify",
        "skip_ssl_verify",
        "insecure_skip_verify",
        "accept_invalid_certs",
        "force_trust_server_cert",
    ),
    "in_clear": ("ignoretls", "disable_starttls", "disable_tls"),
    "method": (
        "type",
        "authtype",
        "smtp_authentication",
        "authentication",
        "auth_mechanism",
        "smtp_auth_mechanism",
    ),
}
"""Suffixes of names by the meaning of a setting: ``GF_SMTP_HOST``, ``SENTRY_EMAIL_HOST``,
``spring.mail.host``.
"""
_MEANINGS = {name: meaning for meaning, names in _NAMES.items() for name in names}
_HARMLESS = frozenset(
    {
        "pool",
        "maxconnections",
        "maxmessages",
        "debug",
        "logger",
        "name",
        "mail_mailer",
        "mail_driver",
        "email_backend",
        "mail_backend",
        "enabled",
        "auth",
        "smtp_auth",
        "timeout",
        "connectiontimeout",
        "greetingtimeout",
        "sockettimeout",
        "localdomain",
        "local_domain",
        "ehlo_identity",
        "default_encoding",
        "transport",
        "mail_transport",
        "ping_threshold",
        "restart_threshold",
        "mail_list_namespace",
    }
)
"""Names of settings that do not affect a message: of pools, logs and waits."""
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_OTHER = re.compile(r"imap|pop3|inbound|incoming")


def meaning_of(name: str) -> str | None:
    """Return a setting's meaning: "" if the setting changes nothing, None if it is unknown. The
    longest known suffix of its name decides.
    """
    if _OTHER.search(name.lower()):
        return ""
    words = _SEPARATORS.sub("_", name.lower()).strip("_").split("_")
    for start in range(len(words)):
        end = "_".join(words[start:])
        if end in _MEANINGS:
            return _MEANINGS[end]
        if end in _HARMLESS:
            return ""
    return None
