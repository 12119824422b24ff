"""The conformance suite: what every connector owes its callers, as tests to inherit."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from jackfield.catalog import Catalog
from jackfield.connector import ConnectionType, Connector, describe
from jackfield.invocation import Invocation
from jackfield.manifest import Manifest
from jackfield.schema import compile_schema

__all__ = ["Conformance"]


class Conformance:
    """The suite. Inherit it in a class whose name pytest collects, and set ``key`` to the connector's key."""

    key: ClassVar[str]

    @pytest.fixture
    def manifest(self) -> Manifest:
        """The manifest as installed, read without importing the connector."""
        return Catalog.installed().find(self.key)

    @pytest.fixture
    def connector(self) -> Connector:
        """The connector's code."""
        loaded: Connector = Catalog.installed().load(self.key)
        return loaded

    def test_the_manifest_is_what_the_code_declares(self, manifest: Manifest, connector: Connector) -> None:
        """The committed connector.json equals what the code declares today."""
        assert manifest.raw == json.loads(json.dumps(describe(connector)))

    def test_the_manifest_lies_in_the_package(self, connector: Connector) -> None:
        """connector.json is package data of the package that declares the connector."""
        functions = [action.function for action in connector.actions.values()]
        packages = {function.__module__.partition(".")[0] for function in functions}
        assert len(packages) == 1
        module = __import__(packages.pop())
        assert (Path(str(module.__file__)).parent / "connector.json").is_file()

    def test_every_schema_compiles_and_is_closed(self, manifest: Manifest) -> None:
        """Inputs, outputs and connections have schemas that compile and refuse unknown members."""
        for where, schema in _schemas(manifest):
            compile_schema(schema)
            assert schema.get("additionalProperties") is False, f"{where} is open"

    def test_everything_is_explained(self, manifest: Manifest) -> None:
        """Each action, connection type and input has a title, and each action, connection type and output member a description."""
        for action in manifest.actions.values():
            assert action.title and action.description, action.key  # noqa: PT018 (one sentence, one check)
        for kind in manifest.connection_types.values():
            assert kind.title and kind.description, kind.key  # noqa: PT018 (as above)
        for where, schema in _schemas(manifest):
            untitled = [name for name, field in schema.get("properties", {}).items() if not field.get("title")]
            assert not untitled, f"{where}: {untitled} have no title"

    def test_paging_names_exist(self, manifest: Manifest) -> None:
        """Pagination names inputs and output members that the schemas have."""
        for action in manifest.actions.values():
            paging = action.pagination
            if paging is not None:
                inputs, output = action.inputs["properties"], action.output["properties"]
                wanted = {paging.token_input, paging.all_input, paging.size_input} - {None}
                assert wanted <= set(inputs), action.key
                assert {paging.token_output, paging.items} <= set(output), action.key

    def test_limits_of_connection_types_name_what_exists(self, manifest: Manifest, connector: Connector) -> None:
        """What a connection type serves are actions; what it waives are inputs that can be missing in the models of these actions."""
        for kind in manifest.connection_types.values():
            served = [key for key in manifest.actions if kind.can_serve(key)]
            assert kind.serves is None or set(kind.serves.actions) == set(served), kind.key
            for name in kind.waives:
                models = [connector.actions[key].inputs for key in served if name in manifest.actions[key].inputs["properties"]]
                fields = [field for model in models for field in model.model_fields.values() if field.alias == name]
                assert fields, f"{kind.key} waives '{name}', which no action of it has"
                assert all(type(None) in typing.get_args(field.annotation) for field in fields), f"'{name}' cannot be None"

    def test_examples_are_valid(self, manifest: Manifest) -> None:
        """Each example is an invocation whose inputs the action's schema accepts, with a result whose output it promises."""
        for action in manifest.raw["actions"]:
            inputs, output = compile_schema(action["inputs"]), compile_schema(action["output"])
            for example in action["examples"]:
                invocation = Invocation.from_json(example["invocation"])
                assert invocation.action == action["key"]
                assert inputs.check(invocation.inputs).details == ()
                assert output.judge(example["result"]["output"]) == ()

    def test_secrets_are_marked(self, manifest: Manifest) -> None:
        """A connection value whose name says that it is a secret is marked as one."""
        telling = ("secret", "password", "token", "privatekey")
        for kind in manifest.connection_types.values():
            for name, field in kind.schema.get("properties", {}).items():
                if any(word in name.lower() for word in telling) and field.get("type") == "string":
                    assert field.get("writeOnly") is True, f"{kind.key}.{name}"
                    assert field.get("format") == "password", f"{kind.key}.{name}"

    def test_values_hold_their_secrets_back(self, connector: Connector) -> None:
        """Neither repr nor pickle of connection values shows what is in them."""
        for kind in connector.connections.values():
            values = kind.model_construct(None, **dict.fromkeys(kind.model_fields, "planted-secret"))
            assert "planted-secret" not in repr(values) + str(values)
            with pytest.raises(TypeError):
                _pickled(values)


def _schemas(manifest: Manifest) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for action in manifest.actions.values():
        yield f"inputs of {action.key}", action.inputs
        yield f"output of {action.key}", action.output
    for kind in manifest.connection_types.values():
        yield f"connection type {kind.key}", kind.schema


def _pickled(values: ConnectionType) -> bytes:
    import pickle  # noqa: PLC0415 (to prove that it refuses)

    return pickle.dumps(values)
