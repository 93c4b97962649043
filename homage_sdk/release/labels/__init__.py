"""Label files: split lists, class lists, atomic actions, and JSON that may be damaged."""
