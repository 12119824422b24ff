"""Pages of a catalogue for people: a searchable index and a page per connector.

Each page is one file without scripts, styles or images from elsewhere, so it works from a disk. All text comes from strangers'
manifests and is escaped; the content security policy allows the page's own style and script by hash.
Without scripts everything is still listed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from jackfield.manifest import Manifest
from jackfield.market.releases import Release

_STYLE = """
:root{color-scheme:light dark;--line:#8886;--soft:#8882}
body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
a{color:LinkText}a:focus-visible,input:focus-visible{outline:3px solid Highlight;outline-offset:2px}
ul.list{list-style:none;padding:0}ul.list li{border-top:1px solid var(--line);padding:.75rem 0}
input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem;border-top:1px solid var(--line)}
.scroll{overflow-x:auto}code,pre{background:var(--soft);padding:.1em .3em;overflow-wrap:anywhere}pre{padding:.75rem;white-space:pre-wrap}
img.icon{width:3rem;height:3rem;vertical-align:middle;margin-right:.5rem}.soft{opacity:.8}
""".strip()
_SEARCH = """
const box=document.getElementById('words'),rows=[...document.querySelectorAll('ul.list li')],count=document.getElementById('count');
function show(){const words=box.value.toLowerCase().split(/\\s+/).filter(Boolean);let shown=0;
for(const row of rows){const text=row.dataset.words;row.hidden=!words.every(word=>text.includes(word));if(!row.hidden)shown++}
count.textContent=shown+' of '+rows.length+' connectors'}
document.getElementById('search').hidden=false;box.addEventListener('input',show);show();
""".strip()
_SITE = """
for(const place of document.querySelectorAll('.site'))place.textContent=new URL('../../',location.href).href.replace(/\\/$/,'');
""".strip()


def path_of(release: Release) -> str:
    """Return the path of the page of a connector."""
    return f"connectors/{release.key}/index.html"


def index(newest: Sequence[Release]) -> dict[str, str]:
    """Return the start page by path: the newest release of each connector, and a search by words."""
    rows = "\n".join(_row(release) for release in newest)
    search = (
        '<p id="search" role="search" hidden><label for="words">Search connectors and actions</label>'
        '<input id="words" type="search" autocomplete="off"></p>'
    )
    count = f'<p id="count" role="status">{len(newest)} of {len(newest)} connectors</p>'
    return {"index.html": _page("Connectors", f'<h1>Connectors</h1>{search}{count}<ul class="list">{rows}</ul>', _SEARCH)}


def connector(releases: Sequence[Release], manifest: Manifest) -> str:
    """Return the page of a connector; ``manifest`` is that of the newest release, which is the last."""
    newest = releases[-1]
    raw, key = manifest.raw, escape(newest.key)
    parts = [
        '<p><a href="../../index.html">All connectors</a></p>',
        f"<h1>{_icon(raw)}{escape(manifest.title)} <small>{escape(newest.version)}</small></h1>",
        f"<p>{escape(manifest.description)}</p>{_documentation(raw)}",
        f'<h2>Install</h2><pre>pip install -i <span class="site">CATALOGUE</span>/simple jackfield-{key}</pre>',
        f"<h2>Publisher</h2>{_publisher(newest)}",
        f"<h2>Permissions</h2>{_permissions(newest)}",
        "<h2>Connections</h2>",
        *(_table(kind["title"], kind["key"], kind.get("description", ""), kind.get("schema", {})) for kind in raw["connectionTypes"]),
        "<h2>Actions</h2>",
        *(_table(one["title"], one["key"], _effect(one), one["inputs"]) for one in raw["actions"]),
        f"<h2>Versions</h2>{_versions(releases)}",
    ]
    return _page(manifest.title, "\n".join(parts), _SITE)


def _row(release: Release) -> str:
    actions = release.data["actions"]
    about = [release.key, release.data["title"], release.data["description"], release.publisher["publisher"]]
    words = " ".join([*map(str, about), *(f"{action['key']} {action['title']}" for action in actions)]).lower()
    link = f'<a href="connectors/{escape(release.key)}/index.html">{escape(str(release.data["title"]))}</a>'
    line = f"{escape(release.key)} {escape(release.version)} by {escape(release.publisher['publisher'])}, {len(actions)} actions"
    text = escape(str(release.data["description"]).partition("\n")[0])
    return f'<li data-words="{escape(words)}"><strong>{link}</strong> <span class="soft">{line}</span><br>{text}</li>'


def _icon(raw: Mapping[str, Any]) -> str:
    icon = raw.get("icon")
    return f'<img class="icon" alt="" src="{escape(icon)}">' if isinstance(icon, str) and icon.startswith("data:image/") else ""


def _documentation(raw: Mapping[str, Any]) -> str:
    url = raw.get("documentationUrl")
    safe = isinstance(url, str) and url.startswith("https://")
    return f'<p><a rel="noopener noreferrer nofollow" href="{escape(str(url))}">Documentation of the service</a></p>' if safe else ""


def _publisher(release: Release) -> str:
    licence = escape(str(release.data.get("licence") or "not stated"))
    by = escape(release.publisher["publisher"])
    return f"<p>{by}, key <code>{escape(release.publisher['keyId'])}</code>. Licence: {licence}.</p>"


def _permissions(release: Release) -> str:
    found: Mapping[str, Sequence[str]] = release.data["permissions"]
    lines = [f"<li>{escape(system)}: {', '.join(f'<code>{escape(name)}</code>' for name in names)}</li>" for system, names in found.items()]
    return f"<ul>{''.join(lines)}</ul>" if lines else "<p>None declared.</p>"


def _effect(action: Mapping[str, Any]) -> str:
    return f"{action.get('description', '')} (effect: {action.get('effect', 'write')})"


def _table(title: str, key: str, about: str, schema: Mapping[str, Any]) -> str:
    head = f'<h3 id="{escape(key)}">{escape(title)} <code>{escape(key)}</code></h3><p>{escape(about)}</p>'
    rows = _input_rows(schema)
    names = "<tr><th scope=col>Name</th><th scope=col>Type</th><th scope=col>Required</th><th scope=col>Description</th></tr>"
    return head + (
        f'<div class="scroll" tabindex="0"><table><thead>{names}</thead><tbody>{rows}</tbody></table></div>'
        if rows
        else "<p>No inputs.</p>"
    )


def _input_rows(schema: Mapping[str, Any]) -> str:
    properties, required = schema.get("properties"), schema.get("required", ())
    if not isinstance(properties, Mapping):
        return ""
    rows = []
    for name, field in properties.items():
        about = field if isinstance(field, Mapping) else {}
        kind = about.get("type", "any")
        text = " ".join(str(about[member]) for member in ("title", "description") if about.get(member))
        cells = (" or ".join(map(str, kind)) if isinstance(kind, list) else str(kind), "yes" if name in required else "no", text)
        rows.append(f"<tr><th scope=row><code>{escape(name)}</code></th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return "".join(rows)


def _versions(releases: Sequence[Release]) -> str:
    rows = "".join(
        f'<tr><th scope=row><a href="../../{escape(release.path)}">{escape(release.version)}</a></th>'
        f"<td>{escape(str(release.data['signedAt']))}</td><td><code>{escape(str(release.data['sha256']))}</code></td></tr>"
        for release in reversed(releases)
    )
    names = "<tr><th scope=col>Version</th><th scope=col>Signed</th><th scope=col>SHA-256</th></tr>"
    return f'<div class="scroll" tabindex="0"><table><thead>{names}</thead><tbody>{rows}</tbody></table></div>'


def _page(title: str, body: str, script: str) -> str:
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(_STYLE)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    lines: Iterable[str] = (
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">',
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(title)}</title><style>{_STYLE}</style></head>',
        f"<body><main>{body}</main><script>{script}</script></body></html>",
        "",
    )
    return "\n".join(lines)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
