"""From shards to batches on the device: who trains, who validates, which classes are novel."""
