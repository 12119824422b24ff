"""Servers of a document, and the connection's fields that select one."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin, urlsplit

from jackfield.kernel.secret_names import basis
from jackfield_openapi.naming import camel, title_of, words
from jackfield_openapi.report import Report

_VARIABLE = re.compile(r"\{([^{}]+)\}")

Json = dict[str, Any]


def _is_secret(name: str, about: Json) -> bool:
    """Return whether a variable of a server's address is a credential, which gets no default."""
    text = about.get("description")
    return (
        "enum" not in about
        and basis(name, text if isinstance(text, str) else "", several=False, siblings=())
        is not None
    )


class Servers:
    """Servers of one document by number, in order of use; the first is the document's main
    server.
    """

    def __init__(self, root: Json, report: Report, source: str = "") -> None:
        self._report = report
        self._source = source
        self.rows: list[Json] = []
        listed = root.get("servers")
        self.main = self.number(listed if isinstance(listed, list) else [], "/servers")

    def number(self, listed: Any, at: str) -> int:
        """Return the number of the server to use from a document's list: the first with https, else
        the first.
        """
        usable = [
            (found, index)
            for index, found in enumerate(listed if isinstance(listed, list) else ())
            if isinstance(found, dict)
        ]
        usable = [
            (found, index)
            for found, index in usable
            if isinstance(found.get("url"), str) and not self._is_socket(found["url"], at, index)
        ]
        best = next(
            ((found, index) for found, index in usable if found["url"].startswith("https://")),
            usable[0] if usable else None,
        )
        if best is None:
            row: Json = {}
        else:
            row = self._row(best[0], f"{at}/{best[1]}")
            if len(usable) > 1:
                self._report.assumed(
                    "several servers", at, f"'{row.get('url', '')[:200]}' is the default"
                )
        if row not in self.rows:
            self.rows.append(row)
        return self.rows.index(row)

    def _is_socket(self, url: str, at: str, index: int) -> bool:
        found = url.strip().lower().startswith(("ws://", "wss://"))
        if found:
            self._report.lossy(
                "websocket",
                f"{at}/{index}",
                "actions are requests over HTTP: this server is not used",
            )
        return found

    def _row(self, server: Json, at: str) -> Json:
        url = server["url"].strip()
        try:
            urlsplit(url)
        except ValueError:
            self._report.lossy(
                "server is no URL", at, f"'{url[:200]}' is no URL: the connection names it"
            )
            return {}
        if not urlsplit(url).scheme and self._source.startswith(("http://", "https://")):
            url = urljoin(self._source, url)
        if url.startswith("//"):
            url = f"https:{url}"
        if not url.startswith(("https://", "http://")) and not url.startswith("{"):
            self._report.assumed("server without a host", at, "the connection names it")
            return {"path": url} if url.startswith("/") and url != "/" else {}
        if url.startswith("http://"):
            self._report.assumed("server without TLS", at, f"'{url[:200]}' is plain http")
        row: Json = {"url": url.rstrip("/")}
        variables = server.get("variables")
        named: Json = {}
        for name in dict.fromkeys(_VARIABLE.findall(url)):
            about = variables.get(name) if isinstance(variables, dict) else None
            about = about if isinstance(about, dict) else {}
            default = None if _is_secret(name, about) else about.get("default")
            named[name] = {"input": camel(["server", *words(name)])} | (
                {"default": str(default)} if default not in (None, "") else {}
            )
            choices = about.get("enum")
            if isinstance(choices, list) and choices:
                named[name]["enum"] = list(dict.fromkeys(map(str, choices)))
            if isinstance(about.get("description"), str):
                named[name]["description"] = about["description"]
        return {**row, "variables": named} if named else row

    def fields(self) -> Json:
        """Return the properties that every connection type has, and the names of the required
        ones.
        """
        main = self.rows[self.main]
        server: Json = {
            "type": "string",
            "format": "uri",
            "title": "Server",
            "x-jackfield": {"destination": True},
        }
        if "url" in main:
            server["description"] = f"URL of the API; without it {main['url']} is used."
        else:
            server["description"] = "URL of the API, such as https://api.example.com/v1."
        properties: Json = {"server": server}
        required = [] if "url" in main else ["server"]
        for row in self.rows:
            for name, about in row.get("variables", {}).items():
                schema: Json = {
                    "type": "string",
                    "minLength": 1,
                    "title": title_of(name, {}) or name,
                }
                if _is_secret(name, about):
                    schema |= {"writeOnly": True, "format": "password"}
                    self._report.assumed(
                        "secret",
                        "/servers",
                        f"'{name[:80]}' is secret by its name, and part of the server's address",
                    )
                else:
                    schema["x-jackfield"] = {"destination": True}
                schema |= {"default": about["default"]} if "default" in about else {}
                if "enum" in about:
                    schema["enum"] = list(
                        dict.fromkeys(
                            [*about["enum"], *([about["default"]] if "default" in about else [])]
                        )
                    )
                if "description" in about:
                    schema["description"] = about["description"]
                properties[about["input"]] = schema
                if "default" not in about and row is main and about["input"] not in required:
                    required.append(about["input"])
        return {"properties": properties, "required": required}

    def manifest_rows(self) -> list[Json]:
        """Return the servers in the manifest's form."""
        drop = ("description",)
        return [
            {
                **row,
                "variables": {
                    name: {k: v for k, v in about.items() if k not in drop}
                    for name, about in row["variables"].items()
                },
            }
            if "variables" in row
            else row
            for row in self.rows
        ]

    def hosts(self) -> list[str]:
        """Return the public hosts of the servers, which apply unless a connection names another
        host.
        """
        found = []
        for row in self.rows:
            host = (
                urlsplit(row["url"]).hostname
                if "url" in row and "{" not in row["url"].partition("//")[2].partition("/")[0]
                else None
            )
            if host and re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", host):
                found.append(host)
        return sorted(set(found))
