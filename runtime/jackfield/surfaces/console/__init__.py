"""The web console of a workspace. Server-rendered; forms, tables and charts load nothing from other hosts."""
