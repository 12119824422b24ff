"""Apache Airflow's provider for jackfield: ``hook``, ``operator``, ``trigger`` and ``sensor`` call
a server of jackfield over HTTP.

``keys`` makes the idempotency key of a task, ``client`` is the HTTP client; neither imports
Airflow.
"""

from __future__ import annotations

from typing import Any

__all__ = ["get_provider_info"]


def get_provider_info() -> dict[str, Any]:
    """Return the description of this provider for Airflow (entry point
    ``apache_airflow_provider``).
    """
    return {
        "package-name": "airflow-provider-jackfield",
        "name": "jackfield",
        "description": "Call jackfield's connectors from tasks. A task that is retried sends once.",
        "versions": ["0.1.0"],
        "connection-types": [
            {
                "connection-type": "jackfield",
                "hook-class-name": "airflow_provider_jackfield.hook.JackfieldHook",
            },
        ],
    }
