"""Rules over a release, each with a stable code, and the reports made of what they find."""
