"""Results on a terminal, on a page, and as the paper's tables."""
