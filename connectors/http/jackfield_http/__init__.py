"""Shared library of jackfield's HTTP connectors: client, connection types, error map. The HTTP
library is imported at the first request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.kernel.exports import exports

if TYPE_CHECKING:
    from jackfield_http.answers import Answer, StreamedAnswer
    from jackfield_http.aws_errors import AWS_HTTP_ERRORS
    from jackfield_http.aws_sig_v4 import AwsSigV4
    from jackfield_http.bodies import Part
    from jackfield_http.client import HttpClient
    from jackfield_http.connection_types import (
        ApiKey,
        BasicLogin,
        BearerToken,
        HttpConnection,
        MutualTls,
    )
    from jackfield_http.errors import HTTP_ERRORS, DoneBefore, HttpErrors, Refusal, Row
    from jackfield_http.headers import Headers
    from jackfield_http.jobs import Job
    from jackfield_http.oauth2 import OAuth2ClientCredentials, fetch_token
    from jackfield_http.oauth2_grants import OAuth2AuthorizationCode, OpenIdConnect
    from jackfield_http.paging import Page, PageInputs, Pages
    from jackfield_http.sign_in import (
        Fixed,
        LeasedToken,
        SignIn,
        Together,
        basic,
        in_cookie,
        in_header,
        in_query,
    )
    from jackfield_http.urls import Url, parse_url
    from jackfield_http.version import VERSION

__all__ = [
    "AWS_HTTP_ERRORS",
    "HTTP_ERRORS",
    "VERSION",
    "Answer",
    "ApiKey",
    "AwsSigV4",
    "BasicLogin",
    "BearerToken",
    "DoneBefore",
    "Fixed",
    "Headers",
    "HttpClient",
    "HttpConnection",
    "HttpErrors",
    "Job",
    "LeasedToken",
    "MutualTls",
    "OAuth2AuthorizationCode",
    "OAuth2ClientCredentials",
    "OpenIdConnect",
    "Page",
    "PageInputs",
    "Pages",
    "Part",
    "Refusal",
    "Row",
    "SignIn",
    "StreamedAnswer",
    "Together",
    "Url",
    "basic",
    "fetch_token",
    "in_cookie",
    "in_header",
    "in_query",
    "parse_url",
]

if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".answers": "Answer StreamedAnswer",
            ".aws_errors": "AWS_HTTP_ERRORS",
            ".aws_sig_v4": "AwsSigV4",
            ".bodies": "Part",
            ".client": "HttpClient",
            ".connection_types": "ApiKey BasicLogin BearerToken HttpConnection MutualTls",
            ".errors": "HTTP_ERRORS DoneBefore HttpErrors Refusal Row",
            ".headers": "Headers",
            ".jobs": "Job",
            ".oauth2": "OAuth2ClientCredentials fetch_token",
            ".oauth2_grants": "OAuth2AuthorizationCode OpenIdConnect",
            ".paging": "Page PageInputs Pages",
            ".sign_in": "Fixed LeasedToken SignIn Together basic in_cookie in_header in_query",
            ".urls": "Url parse_url",
            ".version": "VERSION",
        },
    )
