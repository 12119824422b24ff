"""Package version, as in pyproject.toml; reading the installed metadata instead would cost 35
ms.
"""

VERSION = "0.1.0"
