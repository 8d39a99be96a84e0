"""Face tracking in video: identities, re-crops from the frame before, smoothing and jitter."""
