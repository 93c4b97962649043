"""Pages and pictures of a dataset and of training runs."""
