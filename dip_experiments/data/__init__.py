"""Images: datasets, files read and written, cropping, masks."""
