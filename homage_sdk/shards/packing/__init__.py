"""Packing: the plan, the samples, who makes them, and repair."""
