"""Sound as pictures: log-mel of a clip, and the coloured picture of a file."""
