"""Rules about a connector's display in a catalogue: texts, icon, licence, changes, tests. They
judge the manifest and the project.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from urllib.parse import unquote

from jackfield.connector import ConnectionType
from jackfield.connector.evidence_rows import nameless_looks, unfit_looks, unsaid_looks
from jackfield_market.testing.project import Project
from jackfield_market.testing.subject import Rule, Subject, Tier

_ICON = 32_768
"""Maximum size of an icon in bytes, since every list of connectors contains it."""
_PLACEHOLDER = "CHANGE ME"
_TEMPLATE = re.compile(
    r"which (?:system|library) this connector calls, and what people use it for|put the licence's "
    r"text here, and its SPDX name"
    r"|: (?:what it does|what people use it for|where a user creates the API key|why nobody can "
    r"find out what became of a lost call)\b"
)
"""Regular expression of the templates' sentences, which the author must replace."""
_CALL = re.compile(r"\bjackfield invoke ([a-z0-9-]+) ([a-z]\w*)")
_TYPE = re.compile(r"--type ([a-z0-9-]+)/([a-z]\w*)")
_CODE = re.compile(r"`([A-Za-z]\w*)`")
_TOKENS = frozenset(
    {
        "cursor",
        "nextcursor",
        "nexttoken",
        "nextpagetoken",
        "pagetoken",
        "continuationtoken",
        "marker",
        "nextmarker",
    }
)
_INTERNAL = (
    "access",
    "call",
    "catalog",
    "cli",
    "connections",
    "database",
    "hooks",
    "invocation",
    "journal",
    "management",
    "queue",
    "redaction",
    "resources",
    "runtime",
    "schema",
    "surfaces",
)
"""Packages of the runtime that are not the author's API."""
_COMMANDS = ("cli",)
"""Internal packages that a module may import if the project adds commands to ``jackfield``."""


def _project(subject: Subject) -> Project:
    if subject.project is None:
        raise ValueError("the rule is about a project")
    return subject.project


def _icon_present(subject: Subject) -> Iterator[str]:
    icon = subject.manifest.raw.get("icon") or ""
    if not icon.startswith(("data:image/svg+xml", "data:image/png;base64,")):
        yield (
            "there is no icon as a data URI of SVG or PNG"
            if icon == ""
            else "the icon is not a data URI of SVG or PNG"
        )
    if len(icon.encode()) > _ICON:
        yield f"the icon has more than {_ICON:,} octets"
    if re.search(r"<script|<foreignObject|\bon\w+\s*=|javascript:", unquote(icon), re.IGNORECASE):
        yield "the icon contains a script"


def _listed_for_people(subject: Subject) -> Iterator[str]:
    for name in ("description", "categories", "documentationUrl", "license"):
        if not subject.manifest.raw.get(name):
            yield f"the manifest has no '{name}'"


def _setup_explained(subject: Subject) -> Iterator[str]:
    for kind in subject.manifest.raw["connectionTypes"]:
        if not kind.get("setup"):
            yield f"connection type '{kind['key']}' has no setup guide"


def _outputs_explained(subject: Subject) -> Iterator[str]:
    for action in subject.manifest.actions.values():
        for name, field in action.output.get("properties", {}).items():
            if not field.get("description"):
                yield f"output of {action.key}: '{name}' has no description"


def _doubts_have_evidence(subject: Subject) -> Iterator[str]:
    for row in subject.manifest.raw["actions"]:
        may_be_in_doubt = row.get("effect", "write") == "write" or row.get("idempotentBy") == "key"
        if may_be_in_doubt and not row.get("evidence") and not row.get("noEvidence"):
            yield f"'{row['key']}' may be in doubt, and has neither evidence nor 'noEvidence'"
    yield from nameless_looks(subject.manifest.raw)


def _keys_have_an_age(subject: Subject) -> Iterator[str]:
    for row in subject.manifest.raw["actions"]:
        if row.get("idempotentBy") == "key" and "keyKept" not in row:
            yield f"'{row['key']}' does not say for how long the provider remembers a key"


def _evidence_fits(subject: Subject) -> Iterator[str]:
    yield from unfit_looks(subject.manifest.raw)


def _evidence_says_success(subject: Subject) -> Iterator[str]:
    yield from unsaid_looks(subject.manifest.raw)


def _lists_are_paged(subject: Subject) -> Iterator[str]:
    for action in subject.manifest.actions.values():
        inputs = [name for name in action.inputs.get("properties", {}) if name.lower() in _TOKENS]
        output = [name for name in action.output.get("properties", {}) if name.lower() in _TOKENS]
        if inputs and output and action.pagination is None:
            yield (
                f"'{action.key}' takes '{inputs[0]}' and returns '{output[0]}', and declares "
                "no pagination"
            )


def _permissions_declared(subject: Subject) -> Iterator[str]:
    actions = [action for action in subject.connector.actions.values() if action.takes_client]
    systems = {kind.permission_system for kind in subject.connector.connections.values()} - {None}
    if systems or any(action.permissions for action in actions):
        yield from (
            f"'{action.key}' declares no permissions, and others do"
            for action in actions
            if not action.permissions
        )


def _tests_are_own(subject: Subject) -> Iterator[str]:
    if subject.connector.tests:
        return
    for kind in subject.connector.connections.values():
        if kind.test is ConnectionType.test:
            yield f"connection type '{kind.key}' has no test of its own, so any values pass"


def _deprecations_explained(subject: Subject) -> Iterator[str]:
    for action in subject.manifest.actions.values():
        for name, field in action.inputs.get("properties", {}).items():
            if field.get("deprecated") and "'" not in field.get("description", ""):
                yield (
                    f"inputs of {action.key}: '{name}' is deprecated, and its description "
                    "does not quote the name of a replacement"
                )


def _versions_agree(subject: Subject) -> Iterator[str]:
    about = _project(subject).about
    if "version" in about and about["version"] != subject.manifest.version:
        yield f"pyproject.toml says {about['version']}, connector.json {subject.manifest.version}"


def _entry_point_fits(subject: Subject) -> Iterator[str]:
    project = _project(subject)
    if project.key != subject.manifest.key:
        yield f"the entry point is called '{project.key}', the connector '{subject.manifest.key}'"
    wanted = "jackfield_" + subject.manifest.key.replace("-", "_")
    package = project.module.partition(".")[0]
    if package != wanted:
        yield f"the package is '{package}', not '{wanted}'"


def _dependencies_bounded(subject: Subject) -> Iterator[str]:
    given = [str(text) for text in _project(subject).about.get("dependencies", ())]
    ours = [text for text in given if re.match(r"jackfield\s*([<>=~!\[;]|$)", text)]
    if not ours:
        yield "the dependencies do not name jackfield"
    yield from (
        f"'{text}' has no upper bound"
        for text in ours
        if "<" not in text and "~=" not in text and "==" not in text
    )


def _readme_present(subject: Subject) -> Iterator[str]:
    text = _project(subject).text("README.md", "README.rst")
    if not text or len(text.split()) < 20:
        yield "there is no README.md of at least 20 words"
        return
    key, actions, kinds = (
        subject.manifest.key,
        subject.manifest.actions,
        subject.manifest.connection_types,
    )
    named = [action for of, action in _CALL.findall(text) if of == key] + [*_listed_actions(text)]
    yield from (
        f"the README names an action '{name}', which does not exist"
        for name in dict.fromkeys(named)
        if name not in actions
    )
    types = dict.fromkeys(kind for of, kind in _TYPE.findall(text) if of == key)
    yield from (
        f"the README names a connection type '{name}', which does not exist"
        for name in types
        if name not in kinds
    )


def _listed_actions(text: str) -> Iterator[str]:
    """Yield the names in the first column of each table with the heading "action"."""
    is_list = False
    for line in text.splitlines():
        cell = line.split("|")[1].strip() if line.startswith("|") else None
        if cell is None or cell.lower() == "action":
            is_list = cell is not None
        elif is_list:
            yield from _CODE.findall(cell)


def _changelog_present(subject: Subject) -> Iterator[str]:
    text = _project(subject).text("CHANGELOG.md")
    if text is None:
        yield "there is no CHANGELOG.md"
    elif subject.manifest.version not in text:
        yield f"CHANGELOG.md does not name version {subject.manifest.version}"


def _licence_given(subject: Subject) -> Iterator[str]:
    project = _project(subject)
    if (
        not project.about.get("license")
        and project.text("LICENSE", "LICENSE.md", "LICENSE.txt") is None
    ):
        yield "neither pyproject.toml nor a LICENSE file states a licence"


def _placeholders_replaced(subject: Subject) -> Iterator[str]:
    project = _project(subject)
    texts = {
        name: project.text(name) or ""
        for name in ("README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml")
    }
    for name, text in {**texts, "connector.json": str(subject.manifest.raw)}.items():
        if _PLACEHOLDER in text:
            yield f"{name} contains '{_PLACEHOLDER}'"
        elif left := _TEMPLATE.search(text):
            yield f"{name} contains the template's sentence '{left[0].removeprefix(': ')}'"


def _suite_inherited(subject: Subject) -> Iterator[str]:
    texts = [
        path.read_text(encoding="utf-8", errors="replace")
        for path in _project(subject).root.glob("tests/**/test_*.py")
    ]
    if not any("Conformance" in text for text in texts):
        yield "no file tests/test_*.py inherits jackfield.testing.Conformance"
    if (
        sum(len(re.findall(r"^[ \t]*+(?:async )?def test_", text, re.MULTILINE)) for text in texts)
        == 0
    ):
        yield "no file tests/test_*.py has a test of its own"


def _typed(subject: Subject) -> Iterator[str]:
    if not (subject.folder / "py.typed").is_file():
        yield "the package has no file py.typed"


def _author_api_only(subject: Subject) -> Iterator[str]:
    has_commands = "jackfield.commands" in _project(subject).about.get("entry-points", {})
    refused = {
        f"jackfield.{name}" for name in _INTERNAL if not (has_commands and name in _COMMANDS)
    }
    for path in sorted(subject.folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                if ".".join(name.split(".")[:2]) in refused:
                    yield (
                        f"{path.relative_to(subject.folder)} line "
                        f"{getattr(node, 'lineno', 1)} imports {name}"
                    )


def _of_project(name: str, says: str, check: object, tier: Tier, cure: str) -> Rule:
    return Rule(name, says, check, tier, cure, of_project=True)  # type: ignore[arg-type]


SHELF = (
    Rule(
        "connection-test-present",
        "Each connection type is tested by asking the provider.",
        _tests_are_own,
        "silver",
        "Define test() in the connection type, or a function under @connector.test: it yields a "
        "Step for each finding.",
    ),
    Rule(
        "lists-are-paged",
        "An action that takes and returns a page token declares its pagination.",
        _lists_are_paged,
        "silver",
        "Declare pagination=Pagination(…): the runtime then loops over the pages, within its "
        "limits.",
    ),
    Rule(
        "deprecations-explained",
        "The description of a deprecated input names its replacement.",
        _deprecations_explained,
        "silver",
        "Quote the name of the replacement in the description: \"Use 'region' instead.\"",
    ),
    Rule(
        "icon-present",
        "The connector has an icon without scripts.",
        _icon_present,
        "silver",
        "Pass icon='data:image/svg+xml;utf8,…'.",
    ),
    Rule(
        "listed-for-people",
        "The manifest has a description, categories, a documentation URL and a licence.",
        _listed_for_people,
        "gold",
        "Pass description, categories, documentation_url and license to Connector(…).",
    ),
    Rule(
        "setup-explained",
        "Each connection type has a setup guide.",
        _setup_explained,
        "gold",
        "Write the class attribute 'setup'.",
    ),
    Rule(
        "permissions-declared",
        "If actions declare permissions, each one that takes a client does.",
        _permissions_declared,
        "gold",
        "Pass permissions={system: [names]} to @connector.action: policies are derived from them.",
    ),
    Rule(
        "outputs-explained",
        "Each output member has a description.",
        _outputs_explained,
        "platinum",
        "Add a description to each field of the Output models.",
    ),
    Rule(
        "evidence-fits",
        "A marker is at an input of its action, and a look names a read or trigger that exists, "
        "and gives it valid inputs.",
        _evidence_fits,
        "bronze",
        "Correct 'at' of Marker(…), or the action and inputs of Look(…): each input that the "
        "read requires, and no others.",
    ),
    Rule(
        "evidence-says-success",
        "Evidence of a thing that has a status says which values mean success, none that somebody "
        "brings about later means failure, and one"
        " of absence has a canary that shows something, and a fresh text in its address.",
        _evidence_says_success,
        "bronze",
        "Pass when=[When(took={'/status': [values]}, refused={…})] to Look(…), or [When()] if "
        "the thing is there only after a success.",
    ),
    Rule(
        "doubts-have-evidence",
        "An action that may be in doubt declares evidence that exists, or the reason why there "
        "is none.",
        _doubts_have_evidence,
        "platinum",
        "Pass marker= and evidence= to @connector.action, or no_evidence='the reason'; in JSON "
        "'marker', 'evidence', 'noEvidence'.",
    ),
    Rule(
        "keys-have-an-age",
        "An action that is idempotent by key says for how long the provider remembers a key.",
        _keys_have_an_age,
        "gold",
        "Pass key_kept= to @connector.action, in JSON 'keyKept': the seconds that the provider's "
        "documentation names; 600, which counts without it, where it names none.",
    ),
    _of_project(
        "versions-agree",
        "pyproject.toml and connector.json state one version.",
        _versions_agree,
        "bronze",
        "Change both, then generate connector.json again.",
    ),
    _of_project(
        "entry-point-fits",
        "Entry point, key and package have one name: acme-crm is in jackfield_acme_crm.",
        _entry_point_fits,
        "bronze",
        "Rename the package, or correct the entry point.",
    ),
    _of_project(
        "author-api-only",
        "The package imports jackfield.connector, and no internals of the runtime.",
        _author_api_only,
        "bronze",
        "Import the name from jackfield.connector; request it there if it is missing.",
    ),
    _of_project(
        "readme-present",
        "The project has a README, whose actions and connection types exist.",
        _readme_present,
        "silver",
        "Write README.md: the connector's purpose, its actions as they are now, and how to set "
        "it up.",
    ),
    _of_project(
        "licence-given",
        "The project states its licence.",
        _licence_given,
        "silver",
        "Set 'license' in pyproject.toml.",
    ),
    _of_project(
        "placeholders-replaced",
        f"No text contains '{_PLACEHOLDER}' or a sentence of the template any more.",
        _placeholders_replaced,
        "silver",
        f"Replace '{_PLACEHOLDER}' and the sentence after it with your own text.",
    ),
    _of_project(
        "suite-inherited",
        "The project's tests inherit the conformance suite, and have a test of their own.",
        _suite_inherited,
        "silver",
        "Inherit jackfield.testing.Conformance in tests/test_….py, and test an action there.",
    ),
    _of_project(
        "changelog-present",
        "CHANGELOG.md describes the current version.",
        _changelog_present,
        "gold",
        "Add a section for the version to CHANGELOG.md.",
    ),
    _of_project(
        "dependencies-bounded",
        "The dependency on jackfield has an upper bound.",
        _dependencies_bounded,
        "gold",
        "Depend on 'jackfield>=0.1,<1', for instance.",
    ),
    _of_project(
        "typed",
        "The package is typed.",
        _typed,
        "gold",
        "Add an empty file py.typed to the package.",
    ),
)
