"""The site of a catalogue: its pages, its index for installers, its search, and its server."""
