"""Training: one loop, what surrounds it, and how it resumes."""
