"""What a media file states of itself: how long it is, which track counts, which way up."""
