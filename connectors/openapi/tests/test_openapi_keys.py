"""Keys of connectors that are made of documents: by the title, after the provider where the title
does not name it.
"""

from __future__ import annotations

import pytest

from jackfield_openapi.conversion import key_in


@pytest.mark.parametrize(
    ("title", "url", "key"),
    [
        ("Accounting API", "https://api.xero.com/api.xro/2.0", "xero-accounting"),
        ("Email Activity (beta)", "https://api.sendgrid.com", "sendgrid-email-activity-beta"),
        (
            "The Jira Cloud platform REST API",
            "https://your-domain.atlassian.net",
            "atlassian-jira-cloud-platform",
        ),
        ("Sendgrid Mail", "https://api.sendgrid.com", "sendgrid-mail"),
        ("People API", "https://people.googleapis.com/", "people"),
        ("Orders", "https://api.acme.co.uk:8443/v1", "acme-orders"),
        ("Orders", "https://api.my-acme.com", "myacme-orders"),
        ("Orders", "https://{region}.acme.com", "orders"),
        ("Orders", "https://api.acme.example", "orders"),
        ("Orders", "https://10.0.0.7/v1", "orders"),
        ("Orders", "/v1", "orders"),
        ("The", "https://api.acme.com", "acme-the"),
    ],
)
def test_a_key_names_the_provider(title: str, url: str, key: str) -> None:
    """A title that says what an API is about, and not whose it is, is preceded by the name of the
    domain, if that is the provider's own.
    """
    assert key_in({"info": {"title": title}, "servers": [{"url": url}]}) == key


def test_a_key_of_an_old_document_names_the_provider() -> None:
    """Swagger 2 has the host by itself."""
    assert (
        key_in(
            {
                "swagger": "2.0",
                "info": {"title": "Orders"},
                "host": "api.acme.com",
                "basePath": "/v1",
            }
        )
        == "acme-orders"
    )
    assert key_in({"info": {}}) == "api" == key_in({})
