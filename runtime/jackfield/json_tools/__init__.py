"""JSON tools: pointers, paths to members, walks of a schema beside a value, and the patterns of schemas."""
