"""What trained networks say about sequences, and how good it is."""
