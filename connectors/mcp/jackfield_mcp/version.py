"""Version of the distribution, which the client names in its ``User-Agent``."""

VERSION = "0.1.0"
