"""What shards and pages both encode: sound as small files."""
