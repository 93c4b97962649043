"""Pages in which a sequence plays: every view on one clock, with all that is said about it."""
