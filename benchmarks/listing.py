"""Listing 1,000 identities, and what the check costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.measure import Answer, Line, Scene, compared, endpoint
from benchmarks.scenes import MAIL, boto_client, invocation, runtime, static_connection

_COUNT = 1000


def lines() -> Iterator[Line]:
    """Against boto3's paginator with the same page size; then the check."""
    with endpoint(identities=[f"user{number}@example.com" for number in range(_COUNT)]) as aws:
        found = compared(
            *(Scene(scene, (aws.url,), Answer.wall_each) for scene in (list_all, boto_list_all))
        )
    yield found.line("1,000 identities against boto3's paginator, same page size", at_most=0.9)
    yield compared(Scene(check)).line_of_value(
        "check of valid inputs of sendEmail, CPU", at_most=10e-6
    )


@contextmanager
def list_all(url: str) -> Iterator[Callable[[], object]]:
    """List all identities through jackfield."""
    with runtime(static_connection(url)) as jackfield:
        asked = invocation("listIdentities", {"awsRegion": "eu-west-1", "fetchAll": True})

        def call() -> None:
            assert len(jackfield.invoke(asked).unwrap()["Identities"]) == _COUNT

        yield call


@contextmanager
def boto_list_all(url: str) -> Iterator[Callable[[], object]]:
    """List all identities through boto3."""
    pages = boto_client("ses", url).get_paginator("list_identities")

    def call() -> None:
        listed = pages.paginate(IdentityType="EmailAddress", PaginationConfig={"PageSize": _COUNT})
        assert sum(len(page["Identities"]) for page in listed) == _COUNT

    yield call


@contextmanager
def check() -> Iterator[Callable[[], object]]:
    """Check the inputs of sendEmail against their schema."""
    from jackfield.catalog import Catalog
    from jackfield.schema import compile_schema

    schema = compile_schema(Catalog.installed().find("aws-ses").actions["sendEmail"].inputs)
    yield lambda: schema.check(MAIL)
