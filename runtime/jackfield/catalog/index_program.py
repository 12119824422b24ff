"""Program that writes the file of the search index in a separate process, whose memory is returned
at its end.
"""

from __future__ import annotations

import sys

from jackfield.catalog import Catalog
from jackfield.catalog.index import make
from jackfield.catalog.index_file import IndexFile


def main() -> None:
    """Write the file, unless another process has written it meanwhile. The processes of a server
    start at the same time.
    """
    catalog, for_operator = Catalog.installed(), "--for-operator" in sys.argv[1:]
    file = IndexFile.of(catalog, for_operator=for_operator)
    with file.alone():
        if file.read() is None:
            make(catalog, file, for_operator=for_operator)


if __name__ == "__main__":
    main()
