"""The synthetic world: people, rooms, things, and what is done with them."""
