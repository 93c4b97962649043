"""Before a long run: what it will take, how fast this machine is, and what would fail later."""
