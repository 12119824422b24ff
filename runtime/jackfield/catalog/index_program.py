"""Program that writes the file of the search index: a process that made a large one would keep the memory that it takes."""

from __future__ import annotations

from jackfield.catalog import Catalog
from jackfield.catalog.index import make

if __name__ == "__main__":
    make(Catalog.installed())
