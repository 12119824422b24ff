"""How a Session finds the models of a service: by its name."""

from __future__ import annotations

import os
from typing import Any

from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import Loader

__all__ = ["ServiceModels", "find_by_name"]


def find_by_name(session: Any) -> None:
    """Have the Session's clients made from ``ServiceModels``, where its own loader (``AWS_DATA_PATH`` included) looks."""
    loader = session.get_component("data_loader")
    if not isinstance(loader, ServiceModels):
        session.register_component("data_loader", ServiceModels(list(loader.search_paths), include_default_search_paths=False))


class ServiceModels(Loader):  # type: ignore[misc]
    """botocore's loader, before it loads one service's model, looks into the folders of all 400 for one of its kind: 10 ms for each of the
    two kinds that a client needs. Here a folder's name is enough, and what is not in it shows when it is loaded."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 (botocore's signature)
        """The names of all folders that may be a service's."""
        folders = [path for path in self.search_paths if os.path.isdir(path)]
        return sorted({name for path in folders for name in os.listdir(path) if "." not in name})

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """A service's model of one kind.

        :raises UnknownServiceError: where there is none, which botocore's loader would have seen in its list.
        """
        try:
            return super().load_service_model(service_name, type_name, api_version)
        except UnknownServiceError:
            raise
        except DataNotFoundError as error:
            known = ", ".join(self.list_available_services(type_name))
            raise UnknownServiceError(service_name=service_name, known_service_names=known) from error
