"""A service's models are found by its name, and are the ones that botocore's own loader finds."""

from __future__ import annotations

import inspect
from pathlib import Path

import botocore.loaders
import botocore.session
import pytest
from botocore.exceptions import UnknownServiceError

from jackfield_aws.service_models import ServiceModels, find_by_name

KINDS = ("service-2", "endpoint-rule-set-1", "paginators-1")


@pytest.mark.parametrize("service", ["ses", "sesv2", "sts", "ec2"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_models_are_the_same(service: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever service and kind: by its name the same model is found."""
    files = botocore.loaders.JSONFileLoader
    # tests share what was read: each loader adds to its own here
    monkeypatch.setattr(files, "load_file", inspect.unwrap(files.load_file))
    assert ServiceModels().load_service_model(
        service, kind
    ) == botocore.loaders.Loader().load_service_model(service, kind)


def test_the_services_are_the_same() -> None:
    """The folders are the services that botocore has; its other files are none."""
    assert ServiceModels().list_available_services(
        "service-2"
    ) == botocore.loaders.Loader().list_available_services("service-2")


@pytest.mark.parametrize("service", ["no-such-service", "partitions", "half"])
def test_what_is_not_there_is_an_unknown_service(service: str, tmp_path: Path) -> None:
    """A service that is not there, or not with a model of that kind, is unknown, as to botocore's
    own loader.
    """
    (tmp_path / "half" / "2020-01-01").mkdir(parents=True)
    (tmp_path / "half" / "2020-01-01" / "service-2.json").write_text("{}", encoding="utf-8")
    for loader in (ServiceModels([str(tmp_path)]), botocore.loaders.Loader([str(tmp_path)])):
        with pytest.raises(UnknownServiceError, match=f"Unknown service: '{service}'"):
            loader.load_service_model(service, "endpoint-rule-set-1")


def test_a_session_keeps_its_search_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of the operator's own (AWS_DATA_PATH) go on being found, and before botocore's."""
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    session = botocore.session.Session()
    before = list(session.get_component("data_loader").search_paths)
    find_by_name(session)
    found = session.get_component("data_loader")
    assert isinstance(found, ServiceModels)
    assert found.search_paths == before
    assert found.search_paths[0] == str(tmp_path)
    find_by_name(session)
    assert session.get_component("data_loader") is found
