"""The fifth stage: the output is checked, secrets are masked, the Result is built."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from jackfield.errors import Detail, InDoubt, InvalidOutput, JackfieldError, Provider
from jackfield.invocation import Meta, Result

if TYPE_CHECKING:
    from jackfield.manifest import ActionManifest
    from jackfield.redaction import Redactor
    from jackfield.schema.cache import Schemas

__all__ = ["check_output", "failed", "masked_error", "masked_output", "succeeded"]


def check_output(output: Mapping[str, Any], action: ActionManifest, key: tuple[str, str], schemas: Schemas) -> None:
    """Judge the output by the action's own schema.

    :raises InvalidOutput: a bug of the connector; the message names members, never values.
    """
    if not action.output:
        return
    faults = schemas.find((*key, "output", action.key), action.output, noun="output").judge(output)
    if faults:
        places = ", ".join(sorted({fault.path or "/" for fault in faults})[:5])
        raise InvalidOutput(
            f"the output of '{action.key}' breaks its own schema at {places}",
            hint="The action was carried out; this is a bug of the connector: report it to its author.",
        )


def masked_output(output: Mapping[str, Any], redactor: Redactor | None) -> Mapping[str, Any]:
    """The output with any secret of the connection masked."""
    # NUL ends every escape and every token, and is in none of them: the whole is searched once, and no string reads differently for it.
    if redactor is None or not redactor.holds("\0".join(_strings(output))):
        return output
    cleaned: Mapping[str, Any] = redactor.clean_json(output)
    return cleaned


def _strings(value: object) -> list[str]:
    """Every text in a JSON value, member names included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [*value, *chain.from_iterable(map(_strings, value.values()))]
    if isinstance(value, list):
        return value if {*map(type, value)} == {str} else [*chain.from_iterable(map(_strings, value))]
    return []


def masked_error(error: JackfieldError, redactor: Redactor | None) -> JackfieldError:
    """The error with every text of it cleaned of the connection's secrets; the same object.

    What it was made from is taken off: a formatted traceback would tell the causes' texts, and its frames hold the secrets themselves.
    """
    error.__cause__ = error.__context__ = error.__traceback__ = None
    if redactor is None:
        return error
    error.message = redactor.clean(error.message)
    if error.hint and (hint := redactor.clean(error.hint)) != error.hint:
        error.hint = hint  # one that is clean stays what it is: a NextStep, which each surface words
    error.details = tuple(Detail(redactor.clean(item.path), redactor.clean(item.message), item.keyword) for item in error.details)
    if error.provider is not None and error.provider.message is not None:
        said = error.provider
        error.provider = Provider(said.code, redactor.clean(error.provider.message), said.http_status, said.request_id)
    error.args = (error.message,)
    return error


def succeeded(meta: Meta, output: Mapping[str, Any] | None) -> Result:
    """The Result of a success; ``output`` is None for a dry run."""
    return Result("succeeded", meta, output=output)


def failed(meta: Meta, error: JackfieldError) -> Result:
    """The Result of a failure, or of a doubt."""
    return Result("in_doubt" if isinstance(error, InDoubt) else "failed", meta, error=error)
