"""The paper beside ours: its arms, its numbers, the authors' checkpoints."""
