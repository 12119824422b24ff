"""Queries of the server's own catalogue (PostgreSQL's documentation, "System Catalogs")."""

_KINDS = (
    "CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materializedView' WHEN 'f' THEN "
    "'foreignTable' ELSE 'table' END"
)
TABLES = (
    f"SELECT n.nspname AS schema, c.relname AS name, {_KINDS} AS kind FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', "
    "'m', 'f') AND n.nspname !~ '^pg_' "
    "AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE') "
    'AND (n.nspname COLLATE "C", c.relname COLLATE "C") > ($1::text COLLATE "C", $2::text COLLATE '
    '"C") '
    'ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"'
)
COLUMNS = (
    "SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, NOT "
    "a.attnotnull AS nullable, "
    "pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS default, COALESCE(a.attnum = ANY(i.indkey), "
    "false) AS key "
    "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
    "LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary "
    "WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY "
    "a.attnum"
)
