"""The networks of the paper (section 4.1), one a modality."""
