"""A broken part of an installed package breaks itself: it is named with its distribution, and only
what may authorise closes the rest.
"""

from __future__ import annotations

import html
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from http_stand import Client, Stand, standing
from jackfield import Jackfield
from jackfield.callers import Caller, Rules
from jackfield.catalog import Catalog, entry_points
from jackfield.catalog.loading import broken_parts, declared
from jackfield.cli.commands import load_plugged
from jackfield.composition import answers_of
from jackfield.connections.secret_references import Secrets
from jackfield.connector import hookimpl
from jackfield.kernel.errors import InvalidConnection, InvalidInvocation, Unavailable
from jackfield.kernel.failures import BrokenPart
from jackfield_service.shell.pages.sign_in import one_time_link
from jackfield_store.database.faults import DatabaseUnfit
from jackfield_store.keys.key_wrappers import KeyServices
from jackfield_store.queue.engine import check_queue
from jackfield_store.runtime.runtime_pool import RuntimePool
from plugboard import declare, make_connector, make_echo, plugged

_OVER = {"type": "echo/token", "values": {"token": "t"}}
_SAY = {"connector": "echo", "action": "say", "connection": _OVER, "inputs": {"text": "hi"}}

BROKEN = {
    "gone": None,
    "syntax": "def broken(:",
    "exit": "import sys\nsys.exit(3)",
    "library": "raise ImportError('libfoo.so.1: cannot open shared object file')",
    # garbage has no room at that depth
    "recursion": "import gc\ndef again(): again()\ngc.disable()\ntry: again()\nfinally: gc.enable()",
    "dependency": "import no_such_dependency",
    "memory": "raise MemoryError",
    "stop": "raise GeneratorExit",
    "cancelled": "import asyncio\nraise asyncio.CancelledError",
    "empty": "",
    "number": "plugin = 5",
}
"""Modules whose import raises, or leaves nothing that could be used."""
broken = pytest.mark.parametrize("source", BROKEN.values(), ids=BROKEN)
STOPS = "from jackfield.connector import hookimpl\n@hookimpl\ndef around(): raise SystemExit(1)\n"


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Iterator[Path]:
    """A folder on ``sys.path`` with the echo connector."""
    folder = tmp_path / "site"
    folder.mkdir()
    with plugged(*make_echo(folder)):
        yield folder


def _part(
    folder: Path,
    group: str,
    points: dict[str, str],
    source: str | None,
    distribution: str = "acme-parts",
) -> None:
    declare(folder, distribution, f"jackfield.{group}", points)
    module = next(iter(points.values())).partition(":")[0]
    if source is not None:
        (folder / f"{module}.py").write_text(source, encoding="utf-8")


def _is_named(text: object, point: str, distribution: str = "acme-parts") -> bool:
    return f"'{point}'" in str(text) and distribution in str(text)


@broken
def test_a_plugin_that_may_authorise_refuses_all_calls_by_name(
    place: Path, source: str | None
) -> None:
    """Its name lists no hook, so that it may have ``around``: nothing is sent without it, and the
    error names it.
    """
    _part(place, "plugins", {"acme": "acme_guard"}, source)
    with Jackfield(connections=[], database_url="none") as jackfield:
        for _ in range(2):
            result = jackfield.invoke(_SAY)
            assert result.error is not None
            assert (result.error.code, result.meta.attempts) == ("internal", 0)
            assert _is_named(result.error.message, "acme")
        assert _is_named(jackfield.plugins.warn(), "acme")


@broken
@pytest.mark.parametrize("hook", ["stage", "request", "warn", "stage+request"])
def test_a_plugin_that_only_observes_breaks_itself(
    place: Path, source: str | None, hook: str
) -> None:
    """Calls succeed; what it breaks is told by doctor and probes, with its distribution."""
    _part(place, "plugins", {f"acme.{hook}": "acme_watch"}, source)
    with Jackfield(connections=[], database_url="none") as jackfield:
        assert jackfield.invoke(_SAY).error is None
        assert _is_named(jackfield.plugins.broken(whole=True), f"acme.{hook}")


@broken
def test_a_secret_store_that_is_broken_breaks_its_own_references(
    place: Path, source: str | None
) -> None:
    """The others answer theirs; a reference to the broken one names it."""
    fine = "def read(reference, environment): return f'secret of {reference}'"
    _part(place, "secret_stores", {"fine": "acme_fine:read"}, fine, "acme-fine")
    _part(place, "secret_stores", {"acme": "acme_secrets:plugin.none"}, source)
    secrets = Secrets({})
    assert secrets.resolve({"token": {"$fine": "a"}}, ".") == {"token": "secret of a"}
    with pytest.raises(InvalidConnection) as refused:
        secrets.resolve({"token": {"$acme": "a"}}, ".")
    assert _is_named(refused.value.details, "acme")


@broken
def test_who_answers_questions_and_is_broken_has_no_answer(
    place: Path, source: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names it; others answer theirs. So do none of two of one name."""
    _part(
        place,
        "answers",
        {"fine": "acme_fine:answer"},
        "def answer(question): return {'action': question['does']}",
        "acme-fine",
    )
    _part(place, "answers", {"acme": "acme_answers:plugin.none"}, source)
    answers = answers_of(entry_points())
    assert answers["fine"]({"does": "decline"}) == {"action": "decline"}
    assert (answers["acme"]({"does": "decline"}), answers["fine"]({})) == (None, None)
    assert _is_named(caplog.text, "acme")
    assert "'fine' is not answered: it raised KeyError" in caplog.text
    _part(
        place,
        "answers",
        {"fine": "acme_other:answer"},
        "raise SystemExit('imported')",
        "acme-other",
    )
    assert answers_of(entry_points())["fine"]({"does": "decline"}) is None
    assert "declared twice, by acme-fine and acme-other" in caplog.text


@pytest.mark.parametrize("does", ["raise SystemExit(1)", "raise KeyError('k')", "return 5"])
def test_a_plugin_that_fails_when_it_is_asked_is_named(
    place: Path, does: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An exit, an exception or a wrong answer of the hook that may refuse refuses, and ends no
    thread.
    """
    _part(
        place, "plugins", {"acme.around": "acme_stops"}, STOPS.replace("raise SystemExit(1)", does)
    )
    with (
        Jackfield(connections=[], database_url="none") as jackfield,
        caplog.at_level(logging.ERROR, "jackfield"),
    ):
        result = jackfield.invoke(_SAY)
    assert result.error is not None
    assert (result.error.code, _is_named(result.error.message, "acme.around")) == ("internal", True)
    assert result.meta.invocation_id in caplog.text


def test_observers_that_fail_change_nothing_and_are_told_once() -> None:
    """An exception, an exit: each is logged once, shown by probes, and gone when it works again."""

    class Watching:
        """It observes."""

        def __init__(self) -> None:
            self.error: BaseException | None = SystemExit(2)
            self.seen: list[str] = []

        @hookimpl
        def stage(self, name: str) -> None:
            """See a stage."""
            self.seen.append(name)
            if self.error is not None:
                raise self.error

    first, second = Watching(), Watching()
    second.error = None
    with Jackfield(connections=[], database_url="none", plugins=[second, first]) as jackfield:
        jackfield.invoke({"connector": "none", "action": "none"})
        assert first.seen == second.seen != []
        assert "Watching failed in its hook 'stage'" in jackfield.plugins.warn()[0]
        first.error = None
        jackfield.invoke({"connector": "none", "action": "none"})
        assert jackfield.plugins.warn() == []


@pytest.mark.parametrize(
    ("points", "source", "says"),
    [
        ({"acme.around": "acme_odd"}, "def around(): pass", "no function 'around'"),
        ({"acme.around+stage": "acme_odd"}, STOPS, "'stage'"),
        ({"acme": "acme_odd:nothing"}, STOPS, "AttributeError"),
        (
            {"acme": "acme_odd"},
            STOPS.replace("around()", "around(invocation, no_such_argument)"),
            "PluginValidationError",
        ),
    ],
)
def test_a_plugin_without_its_hook_is_broken(
    place: Path, points: dict[str, str], source: str, says: str
) -> None:
    """One that forgot ``@hookimpl``, lacks a hook that its name lists, or has an unknown argument
    never passes for one that agrees.
    """
    _part(place, "plugins", points, source)
    with Jackfield(connections=[], database_url="none") as jackfield:
        result = jackfield.invoke(_SAY)
        assert result.error is not None
        assert (result.error.code, _is_named(result.error.message, next(iter(points)))) == (
            "internal",
            True,
        )
        assert says in result.error.message


def test_one_module_for_several_entry_points_is_one_plugin(place: Path) -> None:
    """It is asked once for each call, also if it is passed as an object, too."""
    counted = (
        "from contextlib import nullcontext\nfrom jackfield.connector import hookimpl\nseen = "
        "[]\n@hookimpl\ndef around():\n"
        "    seen.append(1)\n    return nullcontext()\n@hookimpl\ndef stage(): pass\n"
    )
    _part(
        place,
        "plugins",
        {"acme": "acme_twice", "acme.around": "acme_twice", "more.around+stage": "acme_twice"},
        counted,
    )
    import acme_twice  # type: ignore[import-not-found]  # in the folder that is plugged in

    with Jackfield(connections=[], database_url="none", plugins=[acme_twice]) as jackfield:
        assert jackfield.invoke(_SAY).error is None
    assert acme_twice.seen == [1]


@broken
def test_a_connector_that_is_broken_breaks_itself(place: Path, source: str | None) -> None:
    """Others are called, and the catalog names it with its distribution."""
    package = make_connector(
        place,
        "odd",
        "",
        json.loads((Path(entry("echo")) / "connector.json").read_text()) | {"key": "odd"},
    )
    if source is None:
        shutil.rmtree(package)
    else:
        (package / "__init__.py").write_text(source, encoding="utf-8")
    with Jackfield(connections=[], database_url="none") as jackfield:
        assert jackfield.invoke(_SAY).error is None
        found = jackfield.catalog.whole.broken(load=True)
        assert jackfield.invoke(_SAY).error is None
    assert [about for about in found if _is_named(about, "odd", "jackfield-odd")]


def entry(key: str) -> str:
    """Return the folder of an installed connector's package."""
    point = next(point for point in entry_points()["jackfield.connectors"] if point.name == key)
    import importlib.util

    spec = importlib.util.find_spec(point.module)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return spec.submodule_search_locations[0]


@broken
def test_parts_that_are_chosen_by_name_say_whose_they_are(place: Path, source: str | None) -> None:
    """An engine, a key wrapper, a binding, a catalog source, a command, a part of the runtime: each
    fails alone, with its distribution.
    """
    points = dict.fromkeys(("celery", "acme", "acme.source"), "acme_part:plugin.none")
    for number, group in enumerate(("engines", "key_wrappers", "bindings", "commands", "parts")):
        _part(place, group, points, source, f"acme-parts-{number}")
    hidden = {point.distribution for group in entry_points().values() for point in group} - {
        f"acme-parts-{n}" for n in range(5)
    }
    for name in hidden & {"jackfield-celery"}:
        (place / f"{name.replace('-', '_')}-0.dist-info").mkdir()
    environment = {
        "JACKFIELD_QUEUE_URL": "amqp://localhost",
        "JACKFIELD_DATABASE_URL": f"sqlite:///{place}/j.db",
    }
    with pytest.raises(InvalidInvocation) as engine:
        check_queue(environment)
    assert _is_named(engine.value, "celery", "acme-parts-0")
    with pytest.raises(DatabaseUnfit) as wrapper:
        KeyServices({}).open("acme://key")
    assert _is_named(wrapper.value, "acme", "acme-parts-1")
    with pytest.raises(BrokenPart) as binding:
        declared("jackfield.bindings", "acme")
    assert _is_named(binding.value, "acme", "acme-parts-2")
    offering = Catalog.installed(environment={}).offering
    assert offering is not None
    with pytest.raises(Unavailable) as offered:
        offering.source("acme")
    assert _is_named(offered.value, "acme", "acme-parts-2")
    with pytest.raises(InvalidInvocation) as command:
        load_plugged(
            [point for point in entry_points()["jackfield.commands"] if point.name == "acme"]
        )
    assert _is_named(command.value, "acme", "acme-parts-3")
    told = [*broken_parts(entry_points())]
    assert [
        number
        for number in range(5)
        if not any(_is_named(text, "acme", f"acme-parts-{number}") for text in told)
    ] == []


def test_two_distributions_with_one_name_of_a_part_are_both_refused(place: Path) -> None:
    """Either could be an impostor: neither is imported."""
    for distribution in ("acme-one", "acme-two"):
        _part(
            place,
            "key_wrappers",
            {"acme": f"{distribution.replace('-', '_')}:Made"},
            "raise SystemExit('imported')",
            distribution,
        )
    with pytest.raises(DatabaseUnfit, match="declared twice, by acme-one and acme-two"):
        KeyServices({}).open("acme://key")
    assert not {"acme_one", "acme_two"} & {*sys.modules}


def test_doctor_and_probes_show_what_is_broken(place: Path, tmp_path: Path) -> None:
    """``jackfield doctor`` ends with 1 and lists all with the reason; probes show names and kinds
    only.
    """
    _part(place, "plugins", {"acme.stage": "acme_watch"}, "raise RuntimeError('at /secret/place')")
    _part(place, "commands", {"acme": "acme_gone:run"}, None, "acme-commands")
    (tmp_path / "home").mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(place),
        "JACKFIELD_HOME": str(tmp_path / "home"),
        "JACKFIELD_DATABASE_URL": "none",
    }
    done = subprocess.run(
        [sys.executable, "-m", "jackfield", "doctor"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout)
    assert (done.returncode, told["healthy"]) == (1, False)
    assert _is_named(told["broken"], "acme.stage")
    assert "RuntimeError: at /secret/place" in str(told["broken"])
    assert _is_named(told["broken"], "acme", "acme-commands")
    pool = RuntimePool({"JACKFIELD_HOME": str(tmp_path / "home"), "JACKFIELD_DATABASE_URL": "none"})
    assert _is_named(pool.warnings(), "acme.stage")
    assert "/secret/place" not in str(pool.warnings())


_PARTS: dict[str, tuple[str, dict[str, str]]] = {
    "observer": ("plugins", {"acme.stage": "acme_part"}),
    "authoriser": ("plugins", {"acme": "acme_part"}),
    "connector": ("connectors", {"acme": "acme_part:connector"}),
}
"""Parts that cannot be loaded, and are known to be so at a server's start."""


def _console(stand: Stand, token: str | None = None) -> str:
    """The first page of the console, for who signs in by a link of the operator, or with a
    token.
    """
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    origin = f"http://127.0.0.1:{stand.port}"
    if token is None:
        browser.open(
            one_time_link(stand.host.storage, stand.host.clock, origin), timeout=60
        ).close()
    else:
        with browser.open(f"{origin}/login", timeout=60) as page:
            (csrf,) = re.findall(r'name="csrf" value="([0-9a-f]+)"', page.read().decode())
        browser.open(
            f"{origin}/login", urlencode({"csrf": csrf, "token": token}).encode(), timeout=60
        ).close()
    with browser.open(f"{origin}/", timeout=60) as page:
        return html.unescape(re.sub(r"<[^>]*>", " ", page.read().decode()))


@pytest.mark.parametrize("part", [None, *_PARTS])
def test_probes_and_the_console_of_a_server_name_what_is_broken(
    part: str | None, tmp_path: Path
) -> None:
    """Over a socket: a server with a broken part is ready, and says its name and distribution to
    the operator's token, to others that there is one; the operator's console names it, that of a
    token with rules does not; neither shows a path, or anything where all is well.
    """
    site = tmp_path / "parts"
    site.mkdir()
    if part is not None:
        _part(site, *_PARTS[part], "raise RuntimeError('at /secret/place')")
    with plugged(site), standing(tmp_path) as stand:
        ready, general = stand.client().get("/readyz"), Client(stand.port).get("/readyz")
        pages = {
            "operator": _console(stand),
            "limited": _console(stand, stand.client(rules=Rules(allow=("echo/*",))).token),
        }
    assert (ready.status, ready.json["status"]) == (200, "ok")
    assert "Overview" in pages["operator"]
    assert "Overview" in pages["limited"]
    assert (general.json, "acme" in str(general.json)) == (
        {"status": "ok"} if part is None else general.json,
        False,
    )
    point = "" if part is None else next(iter(_PARTS[part][1]))
    assert _is_named(ready.json, point) is (part is not None)
    assert _is_named(pages["operator"], point) is (part is not None)
    assert ("acme-parts" in pages["limited"], "/secret/place" in f"{ready.json}{pages}") == (
        False,
        False,
    )


def _archived(folder: Path, archive: Path, below: str = "") -> None:
    with zipfile.ZipFile(archive, "w") as made:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                made.write(path, f"{below}{path.relative_to(folder)}")


@pytest.mark.parametrize(
    ("name", "below"), [("a.whl", ""), ("b.zip", ""), ("c.pyz", "lib/"), ("d.egg", "")]
)
def test_connectors_are_found_in_archives_on_the_path(
    tmp_path: Path, name: str, below: str
) -> None:
    """A wheel, a zip, a folder in one: what Spark's ``--py-files``, zipapps and the like put on
    ``sys.path``.
    """
    site = tmp_path / "site"
    site.mkdir()
    make_echo(site)
    source = Path(make_echo.__globals__["ECHO"]) / "jackfield_echo"
    shutil.copytree(source, site / "jackfield_echo", ignore=shutil.ignore_patterns("__pycache__"))
    _archived(site, tmp_path / name, below)
    entry = str(tmp_path / name / below.rstrip("/")) if below else str(tmp_path / name)
    code = (
        f"import sys; sys.path.insert(0, {entry!r})\nfrom jackfield import Jackfield\n"
        "with Jackfield(connections=[], database_url='none') as made:\n"
        f"    print(made.invoke({_SAY!r}).status, sys.modules['jackfield_echo'].__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.stdout.split()[:1] == ["succeeded"], done.stderr
    assert name in done.stdout


def test_connectors_are_found_in_eggs_and_by_path_files(tmp_path: Path) -> None:
    """An unpacked egg has its metadata in a folder of its own; a ``.pth`` file and an editable
    install add folders to the path.
    """
    egg, linked = tmp_path / "odd-1.egg", tmp_path / "linked"
    (egg / "EGG-INFO").mkdir(parents=True)
    (egg / "EGG-INFO" / "entry_points.txt").write_text(
        "[jackfield.connectors]\nodd = jackfield_odd:connector\n"
    )
    declare(linked, "jackfield-even", "jackfield.connectors", {"even": "jackfield_even:connector"})
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "linked.pth").write_text(f"{linked}\n")
    code = (
        f"import site, sys; site.addsitedir({str(tmp_path / 'site')!r}); "
        f"sys.path.append({str(egg)!r})\n"
        "from jackfield.catalog import entry_points\nprint(*sorted(p.name for p in "
        "entry_points()['jackfield.connectors']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert {"even", "odd"} <= {*done.stdout.split()}, done.stderr


@pytest.mark.parametrize("case", ["slim", "unreadable", "undeclared", "library", "absent"])
def test_what_cannot_be_found_is_told_with_its_cause(tmp_path: Path, case: str) -> None:
    """No metadata, metadata that cannot be read, or none of a connector: each is told, and a
    library is none of them.
    """
    (tmp_path / "jackfield_lost").mkdir()
    (tmp_path / "jackfield_lost" / "__init__.py").write_text("connector = None\n")
    info = tmp_path / "jackfield_lost-1.0.dist-info"
    if case != "slim":
        info.mkdir()
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: jackfield-lost\nVersion: 1.0\n"
        )
    if case == "unreadable":
        (info / "entry_points.txt").write_bytes(b"[jackfield.connectors]\nlost = \xff\xfe\n")
    if case == "undeclared":
        (tmp_path / "jackfield_lost" / "connector.json").write_text("{}")
    if case == "absent":
        shutil.rmtree(tmp_path / "jackfield_lost")
    says = {
        "slim": "is missing",
        "unreadable": "cannot be read",
        "undeclared": "declares no connector",
    }.get(case)
    with plugged(tmp_path), Jackfield(connections=[], database_url="none") as jackfield:
        error = jackfield.invoke({"connector": "lost", "action": "act"}).error
        other = jackfield.invoke({"connector": "../lost", "action": "act"}).error
    assert error is not None
    assert error.code == "unknown_connector"
    assert (says is None and "jackfield_lost" not in error.message) or (
        says is not None and says in error.message
    )
    assert other is not None
    assert "lost" not in other.message.removeprefix("no connector '../lost'")


def test_a_damaged_archive_hides_nothing_else(tmp_path: Path) -> None:
    """A path entry that is no archive, or a broken one, is passed over as imports do."""
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 no archive")
    (tmp_path / "b.whl").write_text("text")
    found: Any = entry_points(
        [str(tmp_path / "a.zip"), str(tmp_path / "b.whl"), str(tmp_path / "none.zip"), *sys.path]
    )
    assert {point.name for point in found["jackfield.connectors"]} >= {"http"}


@pytest.mark.usefixtures("place")
def test_a_connector_that_a_caller_may_not_see_has_no_cause() -> None:
    """To a caller whose rules forbid it, it is not installed, and nothing says that its module is
    there.
    """
    forbidden = Caller("t", "invoke", Rules(block=("echo/*",)), token="t")
    with Jackfield(connections=[], database_url="none") as jackfield:
        for key in ("echo", "http"):
            caller = (
                forbidden
                if key == "echo"
                else Caller("t", "invoke", Rules(allow=("echo/*",)), token="t")
            )
            error = jackfield.invoke(
                {"connector": key, "action": "say", "inputs": {}}, caller=caller
            ).error
            assert error is not None
            assert f"jackfield_{key}" not in str(error)
