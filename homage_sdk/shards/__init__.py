"""WebDataset shards: packing, verifying and reading multi-view clips."""
