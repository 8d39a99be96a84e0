"""Photos and videos: uploads, faces in them, results to download."""
