"""GraphQL actions of bound connectors: the document is fixed, inputs are its variables, the output
is a part of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import NotFound, Sent, Unavailable
from jackfield.kernel.dataclass import dataclass
from jackfield.manifest.manifest import Effect
from jackfield_http.answers import Answer
from jackfield_http.bindings.responses import as_output
from jackfield_http.errors import HttpErrors
from jackfield_http.graphql import is_below, is_refused, judge
from jackfield_http.pointers import find


@dataclass(frozen=True, slots=True)
class FixedQuery:
    """GraphQL document of one action.

    ``result`` points at the output in an answer. ``errors`` points at a list in the answer's data;
    if it has items, nothing was carried out. The items have the form of GraphQL's own errors.
    """

    key: str
    effect: Effect
    result: str
    errors: str | None = None

    def failed(self, body: Any) -> Any:
        """Return the errors of an answer in the form of GraphQL, or True, if nothing was carried
        out; False otherwise.
        """
        if is_refused(body):
            return True
        told = None if self.errors is None else find(body, self.errors)
        return {"errors": told} if isinstance(told, list) and told else False

    def output(self, answer: Answer, errors: HttpErrors) -> dict[str, Any]:
        """Return the output of an answer. Errors that concern only members of a change's result
        become warnings.

        :raises NotFound: if the answer to a query has no output.
        :raises Unavailable: if the answer to another document has no output: the outcome is
            unknown.
        """
        is_whole = self.effect != "read" and is_below(answer.json(), self.result)
        body: Mapping[str, Any] = judge(
            answer, self.key, self.effect, errors, accepts_partial=is_whole
        )
        found = find(body, self.result)
        if found is not None:
            return as_output(found)
        text = f"the answer to '{self.key}' has nothing at '{self.result}'"
        if self.effect == "read":
            raise NotFound(
                text,
                hint="Check the IDs among the inputs, and what the account may see.",
                sent=Sent.REFUSED,
            )
        raise Unavailable(
            text,
            hint="Look what has changed before you send it again.",
            sent=Sent.UNKNOWN,
            repeatable=False,
        )
