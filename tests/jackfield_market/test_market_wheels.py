"""Wheels are read defensively: a correct one is described, a hostile one is refused before any of
its code runs.
"""

from __future__ import annotations

import io
import json
import re
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jackfield_market.wheels import WheelRefused, parse_wheel, read_wheel
from wheel_maker import (
    CODE,
    FILE,
    INFO,
    PACKAGE,
    Change,
    archive,
    drop,
    files,
    manifest,
    put,
    record,
    swap,
    wheel_bytes,
    write_wheel,
)

_ENTRY = f"{INFO}/entry_points.txt"
_META = f"{INFO}/METADATA"


def test_a_correct_wheel(tmp_path: Path) -> None:
    """Name, version, package, manifest, metadata and files of a correct wheel are read without
    importing it.
    """
    wheel = read_wheel(str(write_wheel(tmp_path)))
    assert (wheel.name, wheel.version, wheel.package, wheel.manifest.key) == (
        "jackfield-acme",
        "1.0.0",
        PACKAGE,
        "acme",
    )
    assert wheel.raw_metadata.startswith(b"Metadata-Version")
    assert [str(need) for need in wheel.metadata.requires_dist or ()] == ["jackfield<1,>=0.1"]
    assert wheel.files[f"{PACKAGE}/__init__.py"] == CODE.encode()
    assert wheel.info("nothing") is None


_PASSWORD = r"(?=.*[A-Z])(?=.*[0-9]).{8,}"


def _bomb(word: str) -> dict[str, object]:
    names = [f"d{level}" for level in range(29)]
    twice: dict[str, object] = {
        one: {word: [{"$ref": f"#/$defs/{two}"}] * 2} for one, two in pairwise(names)
    }
    return {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/d0"}},
        "$defs": {**twice, "d28": {"type": "integer"}},
    }


@pytest.mark.parametrize("word", ["allOf", "anyOf", "oneOf"])
@pytest.mark.parametrize("role", ["inputs", "output"])
def test_s1_a_wheel_whose_schema_doubles_at_each_level_is_refused(word: str, role: str) -> None:
    """Verify and catalogue build of a 7 kB wheel that a stranger has signed hung; now its manifest
    is refused, with the place.
    """
    described = manifest()
    described["actions"][0][role] = _bomb(word)
    with pytest.raises(
        WheelRefused, match=rf"the schema of {role} greet: .*/\$defs/d.*branches multiply"
    ) as caught:
        parse_wheel(FILE, wheel_bytes(put(f"{PACKAGE}/connector.json", json.dumps(described))))
    assert caught.value.rule == "manifest"


def test_s2_a_wheel_whose_pattern_looks_around_in_long_texts_is_refused() -> None:
    """A pattern of quadratic time needs a ``maxLength`` of at most 1,000 beside it."""
    described = manifest()
    field = described["actions"][0]["inputs"]["properties"]["name"] = {
        "type": "string",
        "title": "Name",
        "pattern": _PASSWORD,
    }
    with pytest.raises(
        WheelRefused, match=r"look-around or back-references.*add 'maxLength' of at most 1,000"
    ):
        parse_wheel(FILE, wheel_bytes(put(f"{PACKAGE}/connector.json", json.dumps(described))))
    described["actions"][0]["inputs"]["properties"]["name"] = {**field, "maxLength": 1_000}
    assert (
        parse_wheel(
            FILE, wheel_bytes(put(f"{PACKAGE}/connector.json", json.dumps(described)))
        ).package
        == PACKAGE
    )


def _with(described: dict[str, Any], place: str, text: str) -> dict[str, Any]:
    """A manifest with a text in this place."""
    *owners, name = place.strip("/").split("/")
    owner: Any = described
    for step in owners:
        owner = owner[int(step)] if isinstance(owner, list) else owner.setdefault(step, {})
    owner[name] = text
    return described


@pytest.mark.parametrize(
    ("place", "most"),
    [
        ("/title", 200),
        ("/description", 8_000),
        ("/actions/0/title", 200),
        ("/actions/0/description", 8_000),
        ("/actions/0/inputs/properties/name/description", 8_000),
        ("/actions/0/output/$defs/result/description", 8_000),
    ],
)
def test_security_2_9_a_wheel_whose_texts_are_long_is_refused(place: str, most: int) -> None:
    """No text of a connector had a limit, though each stands in forms and in what a language model
    reads; the message has the place.
    """
    good = json.dumps(_with(manifest(), place, "a" * most))
    assert parse_wheel(FILE, wheel_bytes(put(f"{PACKAGE}/connector.json", good))).package == PACKAGE
    with pytest.raises(
        WheelRefused,
        match=re.escape(f"'{place}' has {most + 1:,} characters; at most {most:,} are allowed"),
    ) as caught:
        parse_wheel(
            FILE,
            wheel_bytes(
                put(
                    f"{PACKAGE}/connector.json",
                    json.dumps(_with(manifest(), place, "a" * (most + 1))),
                )
            ),
        )
    assert caught.value.rule == "manifest"


_REGION = {
    "type": "string",
    "format": "uri",
    "oneOf": [{"const": "http://169.254.169.254/", "title": "Europe"}],
}
_EUROPE = {
    "key": "region",
    "title": "Region",
    "auth": "custom",
    "schema": {"type": "object", "properties": {"region": _REGION}},
}


def _asking(key: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an action of one input."""
    inputs = {"type": "object", "properties": {"v": schema}}
    return {
        "key": key,
        "title": key,
        "description": key,
        "effect": "read",
        "inputs": inputs,
        "output": {"type": "object"},
    }


def _looking(number: int) -> Mapping[str, Any]:
    """Return the schema of a text with a pattern that takes 60 ms to compile."""
    return {"type": "string", "maxLength": 9, "pattern": f"(?!{number})(\\w{{50}}\\W){{9}}"}


HOSTILE: dict[str, tuple[str, Change]] = {
    "a .pth file beside the package": ("pth", put("evil.pth", "import os")),
    "a .pth file in the package": ("pth", put(f"{PACKAGE}/evil.PTH", "import os")),
    "a parent path": ("path", put("../evil.py", "")),
    "an absolute path": ("path", put("/etc/evil.py", "")),
    "a drive": ("path", put("C:/evil.py", "")),
    "a backslash": ("path", put(f"{PACKAGE}\\..\\evil.py", "")),
    "an empty part": ("path", put(f"{PACKAGE}//evil.py", "")),
    "a trailing dot": ("path", put(f"{PACKAGE}./evil.py", "")),
    "a letter that looks like another": ("path", put(f"{PACKAGE}/\u0430ctions.py", "")),
    "a control character": ("path", put(f"{PACKAGE}/a\x1b[2Jb.py", "")),
    "bytecode": ("bytecode", put(f"{PACKAGE}/__pycache__/__init__.cpython-311.pyc", b"\0")),
    "a module at the top": ("places", put("sitecustomize.py", "")),
    "a second package": ("places", put("requests/__init__.py", "")),
    "a .data folder": ("places", put("jackfield_acme-1.0.0.data/scripts/python", "")),
    "a second dist-info": ("dist-info", put("other-1.0.0.dist-info/METADATA", "")),
    "no METADATA": ("dist-info", drop(_META)),
    "another name in METADATA": ("metadata", swap(_META, "jackfield-acme", "jackfield-acne")),
    "another version in METADATA": ("metadata", swap(_META, "Version: 1.0.0", "Version: 1.0.1")),
    "METADATA that is not valid": ("metadata", swap(_META, "jackfield<1", "=?")),
    "a requirement from a URL": (
        "direct-url",
        swap(_META, "jackfield<1,>=0.1", "evil @ https://example.com/evil.whl"),
    ),
    "another tag": ("tags", swap(f"{INFO}/WHEEL", "py3-none-any", "cp311-abi3-linux_x86_64")),
    "no connector": ("entry-point", put(_ENTRY, "[jackfield.commands]\nx = jackfield_acme:x\n")),
    "two connectors": (
        "entry-point",
        put(_ENTRY, "[jackfield.connectors]\na = jackfield_acme:a\nb = jackfield_acme:b\n"),
    ),
    "a pytest plugin": (
        "entry-point",
        swap(_ENTRY, "[jackfield", "[pytest11]\nx = jackfield_acme\n[jackfield"),
    ),
    "a script": (
        "entry-point",
        swap(_ENTRY, "[jackfield", "[console_scripts]\npip = jackfield_acme:x\n[jackfield"),
    ),
    "a hook of the host": (
        "entry-point",
        swap(_ENTRY, "[jackfield", "[jackfield.plugins]\nx = jackfield_acme\n[jackfield"),
    ),
    "an entry point elsewhere": ("names", swap(_ENTRY, "jackfield_acme:", "os:")),
    "an entry point that names nothing": (
        "entry-point",
        swap(_ENTRY, "jackfield_acme:", "jackfield acme:"),
    ),
    "another connector's package": ("names", swap(_ENTRY, "jackfield_acme:", "jackfield_aws_ses:")),
    "another connector's key": ("names", swap(_ENTRY, "acme =", "aws-ses =")),
    "entry points that are not valid": ("entry-point", put(_ENTRY, "no section")),
    "no manifest": ("manifest", drop(f"{PACKAGE}/connector.json")),
    "a manifest that is not JSON": ("manifest", put(f"{PACKAGE}/connector.json", "{")),
    "a manifest with a broken schema": (
        "manifest",
        swap(f"{PACKAGE}/connector.json", '"maxLength": 20', '"maxLength": "x"'),
    ),
    "a manifest of another connector": (
        "manifest",
        put(f"{PACKAGE}/connector.json", json.dumps(manifest(key="aws-ses"))),
    ),
    "a manifest of another version": (
        "manifest",
        put(f"{PACKAGE}/connector.json", json.dumps(manifest(version="9.0.0"))),
    ),
    "a host that is not public": (
        "hosts",
        put(f"{PACKAGE}/connector.json", json.dumps(manifest(hosts=["*.co.uk"]))),
    ),
    "an inner address under another name": (
        "hosts",
        put(f"{PACKAGE}/connector.json", json.dumps(manifest(connectionTypes=[_EUROPE]))),
    ),
    "a file that unpacks to much": ("zip-bomb", put(f"{PACKAGE}/zeros", b"\0" * 20_000_000)),
    "a manifest that unpacks to much": (
        "zip-bomb",
        put(f"{PACKAGE}/connector.json", " " * 100_000 + json.dumps(manifest())),
    ),
    "many large patterns with look-around": (
        "manifest",
        put(
            f"{PACKAGE}/connector.json",
            json.dumps(
                manifest(actions=[_asking(f"a{number}", _looking(number)) for number in range(20)])
            ),
        ),
    ),
    "text that is not UTF-8": ("encoding", put(_ENTRY, b"\xff")),
}


def test_a_hostile_wheel_is_refused(subtests: pytest.Subtests) -> None:
    """Each hostile wheel is refused by its rule; the error names file and rule and has no other
    code than invalid_invocation.
    """
    for case, (rule, change) in HOSTILE.items():
        with subtests.test(case=case):
            with pytest.raises(WheelRefused) as caught:
                parse_wheel(FILE, wheel_bytes(change))
            assert caught.value.rule == rule
            body = caught.value.to_json()
            assert body["code"] == "invalid_invocation"
            assert FILE in body["message"]
            assert f"'{rule}'" in body["message"]
            assert body["details"][0]["keyword"] == rule


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("jackfield_acme-1.0.0.tar.gz", "wheel-only"),
        ("jackfield_acme-1.0.0.zip", "wheel-only"),
        ("jackfield_acme.whl", "file-name"),
        ("jackfield-1.0.0-py3-none-any.whl", "reserved-name"),
        ("jackfield_acne-1.0.0-py3-none-any.whl", "dist-info"),
        ("jackfield_acme-1.0.1-py3-none-any.whl", "dist-info"),
        ("jackfield_acme-1.0.0-py2-none-any.whl", "tags"),
    ],
)
def test_a_file_name_that_does_not_fit(name: str, rule: str) -> None:
    """Only a .whl whose name states its content is read."""
    with pytest.raises(WheelRefused) as caught:
        parse_wheel(name, wheel_bytes())
    assert caught.value.rule == rule


def test_links_are_refused() -> None:
    """A symbolic link in the archive is refused, whatever it points to."""
    path = f"{PACKAGE}/link"
    with pytest.raises(WheelRefused, match="'symlink'"):
        parse_wheel(FILE, wheel_bytes(put(path, "/etc/passwd"), {path: stat.S_IFLNK | 0o777}))


def _altered(edit: bytes) -> bytes:
    contents = files()
    listed = record(contents)
    return archive({**contents, f"{PACKAGE}/__init__.py": edit, f"{INFO}/RECORD": listed})


def test_record_must_be_complete_and_right() -> None:
    """A file that is altered, added or missing after RECORD was written is refused."""
    listed = record(files())
    fewer = {path: content for path, content in files().items() if not path.endswith("__init__.py")}
    extra = {**files(), f"{PACKAGE}/extra.py": b""}
    twice = listed + listed.splitlines(keepends=True)[0]
    for content in (
        _altered(b"altered"),
        archive({**extra, f"{INFO}/RECORD": listed}),
        archive({**fewer, f"{INFO}/RECORD": listed}),
        archive({**files(), f"{INFO}/RECORD": twice}),
        archive({**files(), f"{INFO}/RECORD": b'"'}),
    ):
        with pytest.raises(WheelRefused, match="'record'"):
            parse_wheel(FILE, content)


def test_the_same_path_twice() -> None:
    """Two entries of one path, or paths that differ in case only, are refused: unpackers disagree
    which one counts.
    """
    with pytest.raises(WheelRefused, match="'duplicate'"):
        parse_wheel(FILE, wheel_bytes(put(f"{PACKAGE}/__INIT__.py", "")))
    stream = io.BytesIO(wheel_bytes())
    with zipfile.ZipFile(stream, "a") as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's own, about the duplicate
        opened.writestr(f"{PACKAGE}/__init__.py", "evil")
    with pytest.raises(WheelRefused, match="'duplicate'"):
        parse_wheel(FILE, stream.getvalue())


def test_archives_that_are_not_plain() -> None:
    """Data before the archive, a comment, a cut archive, another compression and something else
    altogether are refused.
    """
    good = wheel_bytes()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as opened:
        opened.writestr(f"{PACKAGE}/__init__.py", "x")
    commented = io.BytesIO(good)
    with zipfile.ZipFile(commented, "a") as opened:
        opened.comment = b"hidden"
    for content in (
        b"MZ" + good,
        good[:-30],
        commented.getvalue(),
        stream.getvalue(),
        b"",
        b"PK\x03\x04",
    ):
        with pytest.raises(WheelRefused, match="'zip'"):
            parse_wheel(FILE, content)


def _with_hidden_entry(good: bytes) -> bytes:
    """The archive, with a local entry before its directory that the directory does not list."""
    end = len(good) - 22
    size, offset = struct.unpack_from("<2I", good, end + 12)
    code = b"import os  # other code than the one that was checked"
    path = f"{PACKAGE}/__init__.py".encode()
    local = struct.pack(
        "<4s5H3I2H",
        b"PK\x03\x04",
        20,
        0,
        0,
        0,
        33,
        zlib.crc32(code),
        len(code),
        len(code),
        len(path),
        0,
    )
    hidden = local + path + code
    moved = good[end : end + 12] + struct.pack("<2IH", size, offset + len(hidden), 0)
    return good[:offset] + hidden + good[offset:end] + moved


def _with_data_behind_a_stream(good: bytes) -> bytes:
    """The archive, with bytes behind the end of the last entry's compressed data that count as its
    data.
    """
    more = b"hidden"
    with zipfile.ZipFile(io.BytesIO(good)) as opened:
        last = opened.infolist()[-1]
    end = len(good) - 22
    size, offset = struct.unpack_from("<2I", good, end + 12)
    changed = bytearray(
        good[:offset]
        + more
        + good[offset:end]
        + good[end : end + 12]
        + struct.pack("<2IH", size, offset + len(more), 0)
    )
    for place in (last.header_offset + 18, changed.rindex(b"PK\x01\x02") + 20):
        struct.pack_into("<I", changed, place, last.compress_size + len(more))
    return bytes(changed)


def test_bytes_that_no_check_has_seen() -> None:
    """A hidden local entry, which readers of a stream take, and bytes behind the archive or an
    entry's data are refused (finding 8).
    """
    good = wheel_bytes()
    renamed = good.replace(b"jackfield_acme/__init__.py", b"jackfield_acme/__evil__.py", 1)
    resized = bytearray(good)
    struct.pack_into("<I", resized, 22, 1)
    cases = (
        good + b"more",
        good + good,
        _with_hidden_entry(good),
        _with_data_behind_a_stream(good),
        renamed,
        bytes(resized),
    )
    for content in cases:
        with pytest.raises(WheelRefused, match="'zip'"):
            parse_wheel(FILE, content)


def test_a_wheel_that_was_written_as_a_stream() -> None:
    """Sizes behind the data of an entry, as tools write them that cannot go back, are read; other
    sizes there are refused.
    """

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise io.UnsupportedOperation

    made, contents = Pipe(), files()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
        for path, content in {**contents, f"{INFO}/RECORD": record(contents)}.items():
            opened.writestr(path, content)
    good = made.getvalue()
    assert b"PK\x07\x08" in good
    assert parse_wheel(FILE, good).manifest.key == "acme"
    place = good.index(b"PK\x07\x08") + 8
    with pytest.raises(WheelRefused, match="'zip'"):
        parse_wheel(FILE, good[:place] + b"\1" + good[place + 1 :])


def test_many_entries() -> None:
    """An archive with more entries than allowed is refused before any is unpacked."""
    many = {f"{PACKAGE}/m{number}.py": b"" for number in range(5_001)}
    with pytest.raises(WheelRefused, match="'entries'"):
        parse_wheel(FILE, archive(many))
