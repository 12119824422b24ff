"""Parts of all pages: the frame of a page, its components, its colours, scripts and styles."""
