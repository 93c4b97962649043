"""How a synthetic take looks: cameras, drawing, and the video files."""
