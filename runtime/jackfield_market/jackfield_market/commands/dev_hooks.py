"""Webhook samples of a connector under ``jackfield dev``, sent once by the package for
subscriptions.

``python -m jackfield_market.commands.dev_hooks KEY PORT`` sends them alongside the server.
"""

from __future__ import annotations

import os
import sys

from jackfield.catalog.loading import part
from jackfield.cli.logs import announce
from jackfield.cli.session import open_jackfield
from jackfield.kernel.errors import JackfieldError


def main(key: str, port: int) -> None:
    """Replay the samples of a connector's webhooks."""
    with open_jackfield() as jackfield:
        if not jackfield.storage.enabled:
            return
        replay = part("webhook-samples")
        if replay is None:
            announce(
                "jackfield: trying webhooks needs the package jackfield-store: pip install "
                "'jackfield[store]'"
            )
            return
        try:
            replay(jackfield, key, port, announce)
        except JackfieldError as error:  # the connector is declared twice, for instance
            announce(f"jackfield: the webhooks of '{key}' cannot be tried: {error.message}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
    os._exit(0)
