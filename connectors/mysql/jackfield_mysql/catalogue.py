"""Queries of the server's own catalogue (MariaDB's documentation, "Information Schema"), for the
connection's database.
"""

TABLES = (
    "SELECT table_name AS name, CASE table_type WHEN 'VIEW' THEN 'view' WHEN 'SEQUENCE' THEN "
    "'sequence' ELSE 'table' END AS kind "
    "FROM information_schema.tables WHERE table_schema = DATABASE() AND BINARY table_name > "
    "BINARY ? ORDER BY BINARY table_name"
)
COLUMNS = (
    "SELECT column_name AS name, column_type AS type, is_nullable = 'YES' AS nullable, "
    "column_default AS `default`, "
    "column_key = 'PRI' AS `key` FROM information_schema.columns WHERE table_schema = DATABASE() "
    "AND table_name = ? "
    "ORDER BY ordinal_position"
)
