"""Samples in TypeScript that use each list and each header of an OpenAPI document, written from the
document itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_CHECKS = """
type IsAny<T> = 0 extends 1 & T ? true : false;
type Described<T> = IsAny<T> extends true ? false : [T] extends [never] ? false : unknown extends T ? false : true;
const described = <T>(_is: Described<T>): void => undefined;
"""
"""``described<T>(true)`` compiles only for a type that says something: not for ``any``, ``never``
and ``unknown``.
"""
_HEY = """
import { client } from "./made/client.gen";
import * as sdk from "./made";
import type * as made from "./made";

declare const process: { env: Record<string, string | undefined>; stdout: { write(text: string): void } };

client.setConfig({ baseUrl: process.env.JACKFIELD_ORIGIN ?? "", auth: process.env.JACKFIELD_TOKEN ?? "" });
const told: Record<string, { status: number; items: number; code: string; headers: string[] }> = {};

async function main(): Promise<void> {
  await lists();
  process.stdout.write(JSON.stringify(told));
}
"""


@dataclass(frozen=True)
class Operation:
    """One operation of a document."""

    path: str
    method: str
    about: Mapping[str, Any]
    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its ID, by which generators name functions and types."""
        return str(self.about["operationId"])

    @cached_property
    def parameters(self) -> list[Mapping[str, Any]]:
        """Its parameters."""
        return [self._found(one) for one in self.about.get("parameters", ())]

    def sent(self, place: str) -> list[str]:
        """Names of its parameters at a place."""
        return [one["name"] for one in self.parameters if one["in"] == place]

    def answered(self) -> Iterator[tuple[str, str]]:
        """Yield each status with each header that its answer has."""
        for status, answer in self.about["responses"].items():
            yield from ((status, header) for header in self._found(answer).get("headers", {}))

    @property
    def is_list(self) -> bool:
        """True if it answers with a page of items."""
        content = self._found(self.about["responses"].get("200", {})).get("content", {})
        schema = self._found(content.get("application/json", {}).get("schema", {}))
        return (
            self.method == "get" and {"items", "nextCursor"} <= schema.get("properties", {}).keys()
        )

    def _found(self, about: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in about:
            found: Any = self.document
            for part in about["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            about = found
        return about


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Return the operations of a document."""
    rows = [
        (path, method, about)
        for path, item in document["paths"].items()
        for method, about in item.items()
    ]
    return [
        Operation(path, method, about, document)
        for path, method, about in rows
        if method in _METHODS
    ]


def for_openapi_typescript(document: Mapping[str, Any]) -> str:
    """Return a sample for the types that openapi-typescript writes into ``api.ts``: items of lists,
    headers of requests and answers.
    """
    lines = ['import type { paths } from "./api";', _CHECKS]
    for one in operations(document):
        place = f"paths[{_text(one.path)}][{_text(one.method)}]"
        if one.is_list:
            lines.append(
                f'described<{place}["responses"][200]["content"]["application/json"]["items"][number]>(true);'
            )
        lines += [
            f'described<NonNullable<{place}["parameters"]["header"]>[{_text(name)}]>(true);'
            for name in one.sent("header")
        ]
        for status, header in one.answered():
            key = status if status.isdigit() else _text(status)
            lines.append(
                f'described<{place}["responses"][{key}]["headers"][{_text(header)}]>(true);'
            )
    return "\n".join(lines)


def for_hey_api(document: Mapping[str, Any]) -> str:
    """Return a sample for the client of @hey-api/openapi-ts in ``made``: it calls each list and
    tells what came, and sends each header. Its answers are those of ``fetch``, whose headers have
    no types.
    """
    lines, lists = [_HEY.strip(), _CHECKS], []
    for one in operations(document):
        data = f"made.{one.name[0].upper()}{one.name[1:]}Data"
        lines += [
            f'described<NonNullable<{data}["headers"]>[{_text(name)}]>(true);'
            for name in one.sent("header")
        ]
        if one.is_list:
            given: dict[str, Any] = (
                {"path": dict.fromkeys(one.sent("path"), "nobody")} if one.sent("path") else {}
            )
            given |= {"query": {"limit": 1}} if "limit" in one.sent("query") else {}
            headers = sorted({header for _status, header in one.answered()})
            lists += [
                "{",
                f"  const {{ data, error, response }} = await sdk.{one.name}({json.dumps(given)});",
                "  if (data !== undefined) described<(typeof data.items)[number]>(true);",
                (
                    f"  told[{_text(one.name)}] = {{ status: response?.status ?? 0, items: "
                    "data?.items.length ?? -1,"
                ),
                '    code: error?.code ?? "",',
                (
                    f"    headers: {json.dumps(headers)}.filter((name) => "
                    f"response?.headers.has(name)) }};"
                ),
                "}",
            ]
    body = "\n".join(f"  {line}" for line in lists)
    return "\n".join(
        [*lines, f"async function lists(): Promise<void> {{\n{body}\n}}", "main();", ""]
    )


def _text(value: str) -> str:
    return json.dumps(value)
