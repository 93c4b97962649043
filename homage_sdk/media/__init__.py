"""Video, sound and sensors by time."""
