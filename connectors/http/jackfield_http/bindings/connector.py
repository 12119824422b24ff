"""Connectors without code: a manifest whose actions are bound to requests becomes a connector for
the runtime.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from pydantic import ConfigDict, PrivateAttr

from jackfield.connector import (
    Action,
    Connector,
    Inputs,
    InvalidInput,
    Output,
    Pagination,
    Sent,
    Unavailable,
    current_call,
)
from jackfield.connector.actions import JobSteps
from jackfield.connector.described import DescribedConnector
from jackfield.connector.evidence import PREFIX
from jackfield.connector.evidence_rows import read_evidence
from jackfield.connector.jobs import Started, steps_with
from jackfield.connector.triggers import Trigger
from jackfield.kernel.dataclass import replace
from jackfield.kernel.definitions import Definitions
from jackfield.manifest.manifest import Effect, RateLimit, Serves
from jackfield.wire.graphql import effect_of as graphql_effect
from jackfield_http import page_urls
from jackfield_http.answers import Answer
from jackfield_http.aws_errors import AWS_HTTP_ERRORS
from jackfield_http.bindings.account import ACCOUNTS, BoundAccount
from jackfield_http.bindings.connection import BoundClient, BoundConnection
from jackfield_http.bindings.error_rows import errors_of
from jackfield_http.bindings.fixed_query import FixedQuery
from jackfield_http.bindings.jobs import BoundJob
from jackfield_http.bindings.options import Listing, choices_of
from jackfield_http.bindings.polls import poll_of
from jackfield_http.bindings.requests import Files, Request, ShownFiles, described, request_of
from jackfield_http.bindings.responses import (
    BoundOutput,
    body_of,
    ended,
    is_declared,
    is_listing,
    is_only_accepted,
    page_output,
    position,
    refuse_empty,
    refuse_whole,
    warn_beside,
)
from jackfield_http.bindings.steps import prepared, shown
from jackfield_http.bindings.webhooks import webhook_of
from jackfield_http.client import HttpClient
from jackfield_http.conditions import listed
from jackfield_http.downloads import received
from jackfield_http.errors import HTTP_ERRORS, Failed, HttpErrors
from jackfield_http.graphql import is_refused, judge
from jackfield_http.outcomes import Outcomes
from jackfield_http.page_ends import ERRORS
from jackfield_http.paging import Pages
from jackfield_http.successes import Successes, refuse_error, refuse_page
from jackfield_http.unread import Unreadable
from jackfield_http.urls import Url, UrlError
from jackfield_http.verdicts import Remark, Rule, Rules, are_harmless

_NEXT_PAGE = "nextPage"
_NUMBER = re.compile(r"[0-9]{1,18}")

Json = Mapping[str, Any]


def bound(manifest: Json, row: Callable[[str], Json] | None = None) -> Connector:
    """Return the connector that a manifest with bindings describes. ``row`` returns the JSON of an
    action if the manifest only lists its actions.
    """
    return BoundConnector(manifest, row)


class BoundInputs(Inputs):
    """Inputs of a bound action. The manifest's schema validates them."""

    model_config = ConfigDict(extra="allow")
    _sources: Mapping[str, Any] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any, /) -> None:
        """Store the sources of the stored files that the inputs refer to."""
        self._sources = (context or {}).get("files") or {}

    @property
    def sources(self) -> Mapping[str, Any]:
        """Sources of stored files by ID."""
        return self._sources

    @property
    def given(self) -> dict[str, Any]:
        """Inputs by name."""
        return self.__pydantic_extra__ or {}


class BoundConnector(DescribedConnector):
    """Connector whose actions are bindings. Actions are made at their first call: a manifest may
    have thousands.
    """

    def __init__(self, manifest: Json, row: Callable[[str], Json] | None = None) -> None:
        find = row or _rows_of(manifest)
        super().__init__(
            manifest,
            [_connection_type(kind, manifest) for kind in manifest["connectionTypes"]],
            lambda key: _action(find(key)),
        )
        for source in manifest.get("optionSources", ()):
            if "http" in source:
                about = {"title": source.get("title"), "depends_on": source.get("dependsOn", ())}
                self.options(source["key"], **about)(choices_of(source, self._listing))

        self.triggers = {row["key"]: self._trigger(row) for row in manifest.get("triggers", ())}

    def _trigger(self, row: Json) -> Trigger:
        if row["kind"] == "poll":
            return poll_of(row, BoundInputs, self._listing)
        webhook = webhook_of(row, BoundInputs)
        if "poll" in row.get("http", {}):
            closing = poll_of(row, BoundInputs, self._listing)
            webhook.function, webhook.every, webhook.least = (
                closing.function,
                closing.every,
                closing.least,
            )
            webhook.takes_client = True
        return webhook

    def _listing(self, key: str) -> Listing:
        """Return the function that fetches the pages of a list for an option source."""
        action = self.actions[key]
        return Listing(
            lambda client, inputs: action.function(
                BoundInputs.model_validate(inputs), client
            ).model_dump(),
            action.pagination,
        )


def _rows_of(manifest: Json) -> Callable[[str], Json]:
    """Return the function that finds the row of an action in a whole manifest. The row's output has
    the definitions to which it refers.
    """
    rows = {item["key"]: item for item in manifest["actions"]}
    if "$defs" not in manifest:
        return rows.__getitem__
    shared = Definitions(manifest["$defs"])
    return lambda key: {**rows[key], "output": shared.complete(rows[key]["output"])}


def _connection_type(row: Json, manifest: Json) -> type[BoundConnection]:
    serves, requests = row.get("serves"), manifest.get("http", {})
    kinds = {one["kind"] for one in row["http"]["credentials"]}
    return type(
        row["key"],
        (BoundAccount if kinds & ACCOUNTS else BoundConnection,),
        {
            "__doc__": row.get("description", ""),
            "key": row["key"],
            "title": row["title"],
            "auth": row["auth"],
            "setup": row.get("setup", ""),
            "serves": None
            if serves is None
            else Serves(tuple(serves["actions"]), serves["reason"]),
            "servers": tuple(manifest.get("servers", ())),
            "credentials": tuple(row["http"]["credentials"]),
            "test_request": row["http"].get("probe"),
            "owner": row["http"].get("account"),
            "headers": dict(requests.get("headers", {})),
            "errors": errors_of(
                requests.get("errors", {}), AWS_HTTP_ERRORS if "awsSigV4" in kinds else HTTP_ERRORS
            ),
        },
    )


def _action(row: Json) -> Action:
    function, (marker, evidence) = BoundCall(row), read_evidence(row)
    action = action_of(
        row,
        function,
        BoundOutput,
        effect_of=function.effect_of if row["http"].get("graphql") is True else None,
        returns_files=row["http"]["response"]["read"] in ("bytes", "auto"),
        marker=marker,
        evidence=evidence,
    )
    job = function.job
    return (
        action
        if job is None
        else replace(
            action,
            job=JobSteps(*steps_with(action, job.poll, job.cancel if job.can_cancel else None)),
        )
    )


def action_of(row: Json, function: Any, output: type[Output], **more: Any) -> Action:
    """Return the action of a manifest that ``function`` carries out. ``more`` are further fields of
    the action.
    """
    paging, limit = row.get("pagination"), row.get("rateLimit")
    return Action(
        key=row["key"],
        title=row["title"],
        description=row["description"],
        effect=row.get("effect", "write"),
        function=function,
        inputs=BoundInputs,
        output=output,
        takes_client=True,
        is_async=False,
        permissions={system: tuple(names) for system, names in row.get("permissions", {}).items()},
        pagination=None if paging is None else Pagination.from_json(paging, row["key"]),
        idempotent_by=row.get("idempotentBy"),
        key_kept=row.get("keyKept"),
        rate_limit=None if limit is None else RateLimit.from_json(limit, row["key"]),
        request=function.request,
        **more,
    )


class BoundCall:
    """Function of a bound action: one request, one response, one page of a list."""

    def __init__(self, row: Json) -> None:
        self._key = row["key"]
        self._effect: Effect = row.get("effect", "write")
        self._binding = row["http"]
        self._marked = row.get("marker", {}).get("header")
        asked = self._binding.get("graphql", False)
        self._is_listing = is_listing(row)
        self._has_errors = any(
            name in row.get("output", {}).get("properties", {}) for name in ERRORS
        )
        self._graphql = asked is True
        self._successes = Successes(row)
        self._query = (
            FixedQuery(self._key, self._effect, **asked) if isinstance(asked, Mapping) else None
        )
        self.job = BoundJob(self._key, self._binding) if "job" in self._binding else None
        self._refusing = (
            None if not asked else is_refused if self._query is None else self._query.failed
        )
        declared = listed(self._binding.get("failed", []))
        self._outcomes = [Outcomes.from_json(one) for one in declared if "items" in one]
        self._whole = [
            Rule.from_json(one)
            for one in declared
            if "member" in one and one.keys().isdisjoint(("items", "status"))
        ]
        self._of_status = [one for one in declared if "status" in one]
        self._token = row["pagination"]["tokenInput"] if "pagination" in row else None
        self._further = _further(self._binding)
        self._next = row["pagination"]["tokenOutput"] if "pagination" in row else None
        paging = (
            Pagination.from_json(row["pagination"], row["key"]) if "pagination" in row else None
        )
        self._pages = (
            None
            if paging is None
            else Pages.bound(self._binding["paging"], (paging.token_input, paging.token_output))
        )
        taken = {} if self._token is None else row["inputs"]["properties"].get(self._token, {})
        is_counted = (
            self._pages is not None
            and self._pages.kind in {"page", "offset"}
            and taken.get("type") != "string"
        )
        self._in_number = is_counted or taken.get("type") in ("integer", "number")
        first = self._binding.get("paging", {}).get("first")
        self._first = (
            {}
            if first is None or self._token is None
            else {self._token: first if self._in_number else str(first)}
        )

    def __call__(self, inputs: BoundInputs, clients: BoundClient) -> BoundOutput | Started:
        """Send the request and return the output; for a job, its handle. A paginated action's
        output has the inputs for the next call.
        """
        given, binding, pages = self._begun(inputs.given), self._binding, self._pages
        client = clients.of(binding.get("server", 0))
        of_connection = {"connection": clients.value} if "connection" in binding else {}
        token = None if self._token is None else inputs.given.get(self._token)
        with ExitStack() as opened:
            files = Files(inputs.sources, opened)
            if client.server is None:
                raise Unavailable("the connection names no server", repeatable=False)
            values = (
                prepared(binding, self._key, self._without_address(given), files, client)
                if "before" in binding
                else given
            )
            if (
                token is not None and self._token is not None and self._further is not None
            ):  # a page after the first that is elsewhere takes the token alone
                binding, values = {**binding, **self._further}, {self._token: token}
            request = request_of(binding, self._without_address(values), files, **of_connection)
            url = client.server.under(request.path, request.query)
            if pages is not None and token is not None and pages.is_address(token, url):
                rest = {name: value for name, value in values.items() if name != self._token}
                request = request_of(binding, rest, files, **of_connection)
                url = _followed(client, request, str(token), url)
            if binding["response"]["read"] == "bytes":
                return self._received(client, request, url, opened, given)
            effect, later = (
                self.effect_of(inputs),
                None if pages is None else pages.later(request.options.get("expect"), token),
            )
            options = self._options(client, request, effect, given) | (
                {"expect": later} if later else {}
            )
            answer = client.request(request.method, url, **options)
            if self._is_warned(answer, given, client.errors, effect):
                return BoundOutput.of({})
        if self.job is not None and not self.job.is_over(answer):
            return self.job.started(answer, given)
        if pages is not None and later and pages.is_over(answer, client.errors):
            return BoundOutput.of(ended(pages))
        if token is None:  # an empty page after the first is the list's open end, and no failure
            refuse_empty(binding["response"], answer, self._key, safe=effect == "read")
        output = self._shown(client, answer, effect)
        if isinstance(output, BoundOutput):
            return output
        return BoundOutput.of(
            output if pages is None else self._with_next(pages, given, client, answer, output)
        )

    def _shown(
        self, client: HttpClient, answer: Answer, effect: Effect
    ) -> dict[str, Any] | BoundOutput:
        """Return the output of a response that shows its success; a placeholder if its charset or
        coding cannot be read.
        """
        must_show = effect != "read" and self._refusing is None and answer.status < 300
        if self._binding["response"]["read"] == "none":
            refuse_page(answer)
        try:
            output = self._read(client, answer)
        except Unreadable as error:
            if must_show:
                self._successes.check_unread(answer, error.content, client.errors)
            return answer.left(BoundOutput, error, self._declares(answer))
        if must_show:
            self._successes.check(answer, output, client.errors)
        return output

    def _read(self, client: HttpClient, answer: Answer) -> dict[str, Any]:
        """Return the output of a successful response.

        :raises Unavailable: if the body cannot be read, or is an error for which the action has
            neither a rule nor an output.
        """
        if self._query is not None:
            return self._query.output(answer, client.errors)
        if self._pages is None and not (self._has_errors or self._outcomes or self._whole):
            refuse_error(answer, client.errors)
        return body_of(answer, self._binding["response"]["read"], lists=self._is_listing)

    def request(self, inputs: BoundInputs) -> Mapping[str, Any] | None:
        """Describe the request of a call: its path below the connection's server, and the requests
        sent ``before`` it. None for a page whose address the provider gave.

        :raises InvalidInput: if a value does not fit into its place.
        """
        given, files = self._begun(inputs.given), ShownFiles(inputs.sources)
        if (values := self._without_address(given)) != given:
            return None
        if "before" not in self._binding:
            return described(request_of(self._binding, values, files))
        before, values = shown(self._binding, values, files)
        return {
            **described(request_of(self._binding, values, files)),
            **({"before": before} if before else {}),
        }

    def _begun(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the inputs with the number of the first page, if the binding names one: without
        it, some providers send another list.
        """
        return {**self._first, **given}

    def _without_address(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the inputs without ``nextPage`` for a list that continues at an address: no
        parameter of the request uses it.
        """
        is_named = self._pages is not None and self._pages.kind in {"url", "linkHeader"}
        return (
            {name: value for name, value in values.items() if name != self._token}
            if is_named
            else values
        )

    def _with_next(
        self, pages: Pages, given: Json, client: HttpClient, answer: Answer, output: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the output of a page. If the binding names a member for the next call's input, the
        output has it.
        """
        try:
            page = page_output(answer, self._binding["response"]["read"], output)
            found: Any = pages.token_after(
                client, answer, page, position(pages, given.get(pages.parameter))
            )
        except page_urls.Elsewhere as error:
            # this page is fine; the call for the next one is refused
            found = error.address
        if self._next != _NEXT_PAGE or found is None:
            return output
        return {
            **output,
            _NEXT_PAGE: int(found) if self._in_number and _NUMBER.fullmatch(str(found)) else found,
        }

    def _received(
        self, client: HttpClient, request: Request, url: Url, opened: ExitStack, given: Json
    ) -> BoundOutput:
        """Return a file as output. A large file is stored while it arrives: the runtime reads it
        after the action has returned.
        """
        answer = opened.enter_context(
            client.stream(
                request.method, url, **self._options(client, request, self._effect, given)
            )
        )
        try:
            file = received(answer, opened)
        except Unreadable as error:
            unread = answer.whole(b"", self._key, error)
            return unread.left(BoundOutput, error, self._declares(unread))
        is_empty = isinstance(file, dict) and not file["data"]
        return BoundOutput.of({} if is_empty else {"file": file})

    def _declares(self, answer: Answer) -> Callable[[str], bool]:
        return partial(is_declared, self._binding["response"], answer.status)

    def effect_of(self, inputs: BoundInputs) -> Effect:
        """Return the effect of a call."""
        return (
            graphql_effect(inputs.given.get("query"), inputs.given.get("operationName"))
            if self._graphql
            else self._effect
        )

    def _options(
        self, client: HttpClient, request: Request, effect: Effect, given: Json
    ) -> dict[str, Any]:
        if (
            self._marked is not None
            and (call := current_call()) is not None
            and call.marker is not None
        ):
            request.headers[self._marked] = f"{PREFIX}{call.marker}"
        usual = {
            "headers": request.headers,
            "safe": effect == "read",
            "step": self._key,
            "failed": self._failed(given, client.errors),
        }
        mixed = [
            *(status for one in self._outcomes for status in one.mixed),
            *(one["status"] for one in self._of_status if one["status"] >= 300),
        ]
        return {
            **usual,
            **({"expect": {*range(200, 300), *mixed}} if mixed else {}),
            **request.options,
        }

    def _is_warned(self, answer: Answer, given: Json, errors: HttpErrors, effect: Effect) -> bool:
        """Refuse an expected response that is no success after all, or not yet. Return whether it
        is a refusal of something beside the request, which has no output.
        """
        for outcomes in self._outcomes:
            refuse_whole(answer, outcomes, given, errors)
        rules = [one for one in self._of_status if one["status"] == answer.status]
        if not rules and self.job is None and is_only_accepted(self._binding["response"], answer):
            rules = [{"pending": True}]
        if rules and answer.status >= 300:
            warn_beside(answer, rules, self._key, errors)
            return True
        for rule in rules:
            Remark(f"its status is {answer.status}", "pending" in rule, "absent" in rule).note(
                self._key, answer.headers.retry_after, safe=effect == "read"
            )
        if self._graphql:
            judge(answer, self._key, effect)
        return False

    def _failed(self, given: Json, errors: HttpErrors) -> Failed:
        """Return the function that detects failures in successful responses: for GraphQL by its
        errors, then by the rules of the binding and those of all responses.
        """
        rules: list[tuple[Failed | None, bool]] = [
            (self._refusing, False),
            *((one.judged, one.is_harmless) for one in self._whole),
            *((partial(one.judged, inputs=given), one.only_warns) for one in self._outcomes),
            (errors.failed, are_harmless(errors.failed)),
        ]
        known = [(judge, is_harmless) for judge, is_harmless in rules if judge is not None]
        return Rules(
            tuple(judge for judge, _ in known), all(is_harmless for _, is_harmless in known)
        )


def _further(binding: Json) -> Json | None:
    """Return the members of the binding that replace the usual ones in requests for later pages;
    None if the binding has no such members.
    """
    path = binding.get("paging", {}).get("continue")
    return (
        None
        if path is None
        else {
            "path": path,
            "parameters": [row for row in binding.get("parameters", ()) if row["in"] != "path"],
        }
    )


def _followed(client: HttpClient, request: Request, address: str, own: Url) -> Url:
    """Return the address of a page. It must be below the connection's own server: requests there
    carry credentials.

    :raises InvalidInput: if the address is on another server or no URL, or the list is not read by
        GET.
    """
    server, hint = client.server or own, "Pass the value from the output of the page before it."
    try:
        url = page_urls.own_scheme(own.joined(address), server)
    except UrlError as error:
        raise InvalidInput(
            f"the address of the page {error}", hint=hint, sent=Sent.NOTHING
        ) from None
    if request.method != "GET":
        raise InvalidInput(
            "an address of a page is followed by GET only", hint=hint, sent=Sent.NOTHING
        )
    if url.origin != server.origin:
        raise InvalidInput(
            "the address of the page is on another server than the connection's",
            hint=(
                "Fetch pages from the server of the connection only, or set its 'server' to "
                "that address."
            ),
            sent=Sent.NOTHING,
        )
    if not page_urls.is_below(url, server.path):
        raise InvalidInput(
            f"the address of the page is not below '{server.path}', the path of the connection's "
            "server",
            hint=hint,
        )
    return url
