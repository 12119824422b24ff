"""Files that inputs refer to and outputs contain: uploaded, listed, read in ranges, deleted."""
