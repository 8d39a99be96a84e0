"""Photos and videos: uploads, what is found in them, results to download."""
