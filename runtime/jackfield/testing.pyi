from jackfield_market.testing import *  # noqa: F403 (the same names)
