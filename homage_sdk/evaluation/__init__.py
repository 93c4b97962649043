"""Scores of predictions, their intervals and paired comparisons: numpy only."""
