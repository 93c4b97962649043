"""Pure functions to the formats of other tools."""
