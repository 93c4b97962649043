"""Run folders: checkpoints, logs, and how a run becomes networks again."""
