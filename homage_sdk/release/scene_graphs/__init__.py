"""Scene-graph files: a fast reader, an exact one, and mapping files for other formats."""
