"""Faults seeded into the shelf: in each service one fact at a time is changed, and its sign-ins,
actions and lists are tried at the fake of the file as it is.

``make campaign shelf-faults`` prints how many of the faults are found, by kind. The fake stands for
the provider here: it finds what differs between connector and provider, and not what both have
wrong.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from itertools import chain
from typing import Any

from benchmarks.measure import ROOT
from jackfield.connector import InvalidInput
from jackfield_market.testing.fake_proof import action_faults, playable, sign_in_faults
from jackfield_openapi.shelf.projects import built
from jackfield_openapi.shelf.services import Service, read_shelf

_LEAST = 0.9
"""Share of the faults that must be found."""

Json = dict[str, Any]
Seed = Callable[[Json], bool]
"""Changes a manifest, and returns True if it has such a fact."""


def main(keys: list[str]) -> int:
    """Seed each fault into each service that has such a fact; 1 if fewer are found than must be."""
    found, all_of, missed = Counter[str](), Counter[str](), list[str]()
    for service in read_shelf(ROOT / "shelf"):
        if keys and service.key not in keys:
            continue
        truth = _manifest(service)
        for name, changed in _seeded(service, truth):
            all_of[name] += 1
            if changed is not None and next(_faults(changed, truth), None) is None:
                missed.append(f"{service.key}: {name}")
            else:
                found[name] += 1
    for name, count in all_of.items():
        print(f"{name}: {found[name]} of {count}")
    print(*missed, sep="\n")
    share = found.total() / all_of.total()
    print(
        f"shelf: {found.total()} of {all_of.total()} seeded faults found ({share:.1%}, at least "
        f"{_LEAST:.0%})"
    )
    return 0 if share >= _LEAST else 1


def _manifest(service: Service) -> Json:
    found: Json = json.loads(json.dumps(built(service).manifest))
    return found


def _seeded(service: Service, truth: Json) -> Iterator[tuple[str, Json | None]]:
    """Yield a manifest for each fact of a service, with the fact changed; None if the file with the
    change cannot be built.
    """
    for name, seed in _SEEDS.items():
        changed = deepcopy(truth)
        if seed(changed):
            yield name, changed
    for name, member in _PAGING.items():
        if (old := _paging_name(service.document, member)) is None:
            continue
        text = json.dumps(service.document, default=str)
        for before, after in ((f'"{old}"', f'"{old}Of"'), (f"/{old}", f"/{old}Of")):
            text = text.replace(before, after)
        try:
            yield name, _manifest(replace(service, document=json.loads(text)))
        except InvalidInput:
            yield name, None


def _paging_name(document: Json, member: str) -> str | None:
    """Return the provider's name in a member of the first paging rule that has one."""
    for item in document["paths"].values():
        for operation in item.values():
            paging = (
                operation.get("x-jackfield", {}).get("pagination")
                if isinstance(operation, dict)
                else None
            )
            if (
                isinstance(paging, dict)
                and isinstance(paging.get(member), str)
                and paging[member].strip("/")
            ):
                return str(paging[member].rpartition("/")[2])
    return None


def _faults(changed: Json, truth: Json) -> Iterator[str]:
    kinds = playable(changed)
    return chain(
        *(sign_in_faults(changed, kind, truth) for kind in kinds), action_faults(changed, truth)
    )


def _credentials(manifest: Json) -> Iterator[Json]:
    for row in manifest["connectionTypes"]:
        yield from row["http"]["credentials"]


def _each(manifest: Json, name: str, change: Callable[[Any], Any]) -> bool:
    """Change a member of the first credential that has it."""
    part = next((one for one in _credentials(manifest) if name in one), None)
    if part is not None:
        part[name] = change(part[name])
    return part is not None


def _separator(manifest: Json) -> bool:
    part = next(
        (
            one
            for one in _credentials(manifest)
            if one["kind"].startswith("oauth2") and one.get("separator", " ") != " "
        ),
        None,
    )
    if part is None:
        return False
    del part["separator"]
    return True


def _prefix(manifest: Json) -> bool:
    part = next(
        (
            one
            for one in _credentials(manifest)
            if one["kind"] in ("bearer", "apiKey") and one.get("in") != "path"
        ),
        None,
    )
    if part is None:
        return False
    part["prefix"] = "Key "
    return True


def _key_name(manifest: Json) -> bool:
    part = next(
        (one for one in _credentials(manifest) if one["kind"] == "apiKey" and one["in"] != "path"),
        None,
    )
    if part is None:
        return False
    part["name"] = f"x-{part['name']}"
    return True


def _client(manifest: Json) -> bool:
    return _each(manifest, "clientAuthentication", lambda way: "basic" if way == "body" else "body")


def _json_request(manifest: Json) -> bool:
    part = next((one for one in _credentials(manifest) if one["kind"].startswith("oauth2")), None)
    if part is None:
        return False
    part["tokenRequest"] = "form" if part.get("tokenRequest") == "json" else "json"
    return True


def _authorize(manifest: Json) -> bool:
    part = next((one for one in _credentials(manifest) if one.get("authorize")), None)
    if part is None:
        return False
    part["authorize"].popitem()
    return True


def _host(manifest: Json) -> bool:
    url = manifest["servers"][0].get("url", "")
    scheme, _, rest = url.partition("://")
    if not rest:
        return False
    manifest["servers"][0]["url"] = f"{scheme}://www-{rest}"
    return True


def _base_path(manifest: Json) -> bool:
    if "url" not in manifest["servers"][0]:
        return False
    manifest["servers"][0]["url"] = manifest["servers"][0]["url"].rstrip("/") + "/v0"
    return True


def _probe(manifest: Json) -> bool:
    done = False
    for row in manifest["connectionTypes"]:
        probe = row["http"].get("probe")
        if isinstance(probe, str):
            row["http"]["probe"], done = f"{probe}-gone", True
        elif isinstance(probe, dict) and "body" not in probe:
            probe["path"], done = f"{probe['path']}-gone", True
    return done


def _account(manifest: Json) -> bool:
    done = False
    for row in manifest["connectionTypes"]:
        if "id" in row["http"].get("account", {}):
            row["http"]["account"]["id"], done = row["http"]["account"]["id"] + "s", True
    return done


def _action_path(manifest: Json) -> bool:
    """Change the first fixed segment of a path that only one action has."""
    for action in manifest["actions"]:
        parts = action["http"]["path"].split("/")
        place = next(
            (number for number, part in enumerate(parts) if part and "{" not in part), None
        )
        if place is not None and not action["http"].get("body", {}).get("defaults", {}).get(
            "query"
        ):
            parts[place] += "s"
            action["http"]["path"] = "/".join(parts)
            return True
    return False


def _method(manifest: Json) -> bool:
    action = next(
        (one for one in manifest["actions"] if one["http"]["method"] in ("PATCH", "PUT")), None
    )
    if action is None:
        return False
    action["http"]["method"] = "PUT" if action["http"]["method"] == "PATCH" else "PATCH"
    return True


def _parameter(manifest: Json) -> bool:
    """Rename a parameter of the query that the example of its action has."""
    for action in manifest["actions"]:
        used = action["examples"][0]["invocation"]["inputs"] if action.get("examples") else {}
        for row in action["http"].get("parameters", ()):
            if row["in"] == "query" and row["input"] in used:
                row["name"] = f"{row.get('name', row['input'])}_2"
                return True
    return False


_SEEDS: dict[str, Seed] = {
    "authorization endpoint": lambda one: _each(one, "authorizationUrl", lambda url: f"{url}/v2"),
    "token endpoint": lambda one: _each(one, "tokenUrl", lambda url: f"{url}s"),
    "separator of scopes": _separator,
    "prefix of a key or token": _prefix,
    "name of a key": _key_name,
    "client authentication": _client,
    "form of token requests": _json_request,
    "parameter of the authorization": _authorize,
    "host": _host,
    "path of the server": _base_path,
    "path of the connection test": _probe,
    "place of the account": _account,
    "path of an action": _action_path,
    "method of an action": _method,
    "name of a parameter": _parameter,
}
_PAGING = {
    "paging: name of the token": "response",
    "paging: name of the items": "items",
    "paging: name of the input": "input",
}
"""Members of a paging rule whose names are changed wherever the file has them."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
