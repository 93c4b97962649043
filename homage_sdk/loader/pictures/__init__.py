"""From packed views to the pictures of a batch: which part of them is shown, and its pixels."""
