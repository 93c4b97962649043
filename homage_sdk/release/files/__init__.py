"""The files of a release: where it lies, what is in it, which file is read for what."""
