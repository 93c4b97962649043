"""Worlds in which it is known whether cooperation helps, and what training makes of them."""
