"""Reading what was published: layout detection and one reader for each kind of file."""
