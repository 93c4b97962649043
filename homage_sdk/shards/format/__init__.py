"""What a folder of shards is made of: tars, index, manifest, and how they are read."""
