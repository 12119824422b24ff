"""Pure parts that several packages need: they know no connector, no call and no database."""
