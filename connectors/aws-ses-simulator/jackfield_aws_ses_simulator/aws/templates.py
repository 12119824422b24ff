"""Mail templates of SES: texts with ``{{name}}`` as placeholders for values of the data."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jackfield_aws_ses_simulator.aws.refusals import Refusal, unimplemented

_VARIABLE = re.compile(r"\{\{([^{}]*)\}\}")


class Unrendered(Refusal):
    """Refusal of a template whose data lacks a value. SES still accepts the mail but does not send
    it.
    """


def rendered(content: Mapping[str, str], *data: str | None) -> dict[str, str]:
    """Return a template's subject and bodies with the data's values inserted; later data wins.

    :raises Unrendered: if the data lacks a value.
    :raises Refusal: for data that is not an object, and for Handlebars' blocks and helpers.
    """
    values: dict[str, Any] = {}
    for text in filter(None, data):
        values |= _object(text)
    return {
        name: _VARIABLE.sub(lambda match: _value(values, match[1].strip()), text)
        for name, text in content.items()
    }


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refusal(
            "BadRequestException", "Invalid template rendering data: it is not a JSON object."
        )
    return found


def _value(values: Any, path: str) -> str:
    if not re.fullmatch(r"[\w.-]+", path):
        raise unimplemented(f"{{{{{path}}}}} in templates: values only")
    found = values
    for name in path.split("."):
        if not isinstance(found, dict) or name not in found:
            raise Unrendered(
                "BadRequestException", f"Attribute '{path}' is not present in the rendering data."
            )
        found = found[name]
    return str(found)
