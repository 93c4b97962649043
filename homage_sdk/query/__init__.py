"""Questions about intervals and scene graphs: patterns, SQL, and the matches they find."""
