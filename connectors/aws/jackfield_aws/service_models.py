"""Fast look-up of service models for botocore Sessions, by name."""

from __future__ import annotations

import os
from typing import Any

from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import Loader


def find_by_name(session: Any) -> None:
    """Make the Session load its models through ``ServiceModels``, from its own search paths
    (including ``AWS_DATA_PATH``).
    """
    loader = session.get_component("data_loader")
    if not isinstance(loader, ServiceModels):
        session.register_component(
            "data_loader",
            ServiceModels(list(loader.search_paths), include_default_search_paths=False),
        )


class ServiceModels(Loader):  # type: ignore[misc]
    """Faster loader of service models. Before it loads one model, botocore's loader searches the
    folders of all 400 services: 10 ms for each of a client's two kinds of model. Here the folder's
    name suffices; a missing model is detected on loading.
    """

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 (botocore's signature)
        """List the names of all folders that may hold a service's models."""
        folders = [path for path in self.search_paths if os.path.isdir(path)]
        return sorted({name for path in folders for name in os.listdir(path) if "." not in name})

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Any:
        """Load a service's model of one kind.

        :raises UnknownServiceError: if there is none, as botocore's loader does.
        """
        try:
            return super().load_service_model(service_name, type_name, api_version)
        except UnknownServiceError:
            raise
        except DataNotFoundError as error:
            known = ", ".join(self.list_available_services(type_name))
            raise UnknownServiceError(
                service_name=service_name, known_service_names=known
            ) from error
