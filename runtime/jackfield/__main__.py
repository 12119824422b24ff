"""Entry point of ``python -m jackfield``: the command ``jackfield``."""

import sys

from jackfield.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
