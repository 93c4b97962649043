"""Handles on what a catalog holds: the dataset, its sequences, their views, labels and moments."""
