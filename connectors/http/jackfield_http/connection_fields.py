"""Fields shared by the HTTP connection types, each defined once."""

from __future__ import annotations

from typing import Any, Literal

from jackfield.connector import Field

Audience = Literal["user", "platform", "operator"]
_URL = {"format": "uri", "minLength": 1, "maxLength": 2000}
_SECRET = {"minLength": 1, "maxLength": 10_000}
_NAME = {"minLength": 1, "maxLength": 1000}
_AWS_KEY = {"minLength": 1, "maxLength": 4000, "pattern": "^[^\\x00-\\x1f\\x7f]*$"}


def url(
    title: str,
    description: str,
    example: str | None = None,
    *,
    default: Any = ...,
    audience: Audience | None = None,
) -> Any:
    """Define a URL to which requests are sent. With ``default`` None, the field is optional."""
    examples = None if example is None else [example]
    return Field(
        default,
        title=title,
        description=description,
        examples=examples,
        destination=True,
        audience=audience,
        schema=_URL,
    )


def name(title: str, description: str, audience: Audience | None = None) -> Any:
    """Define the user name or ID of a login."""
    return Field(title=title, description=description, audience=audience, schema=_NAME)


def secret(
    title: str,
    description: str,
    *,
    default: Any = ...,
    multiline: bool = False,
    audience: Audience | None = None,
) -> Any:
    """Define a secret. With ``default`` None, the field is optional."""
    return Field(
        default,
        title=title,
        description=description,
        secret=True,
        multiline=multiline,
        audience=audience,
        schema=_SECRET,
    )


def token_url() -> Any:
    """Define the token endpoint of an OAuth 2.0 server."""
    return url(
        "Token URL", "The endpoint that issues tokens.", "https://login.example.com/oauth2/token"
    )


def client_id(audience: Audience | None = None) -> Any:
    """Define the ID of an OAuth 2.0 client."""
    return name("Client ID", "The ID of the application.", audience)


def scopes() -> Any:
    """Define the scopes that an OAuth 2.0 client requests."""
    return Field(
        (),
        title="Scopes",
        description="The permissions to ask for; by default the server decides.",
        audience="platform",
    )


def aws_key(
    title: str, description: str, *, public: bool = False, audience: Audience | None = None
) -> Any:
    """Define an optional part of an AWS key pair.

    The field differs from the one of jackfield-aws: this library works without that package, and
    the published schemas differ.
    """
    return Field(
        None,
        title=title,
        description=description,
        secret=None if public else True,
        trim=True,
        blank="absent",
        mask="last4" if public else None,
        expects="text without line breaks",
        audience=audience,
        schema=_AWS_KEY,
    )
