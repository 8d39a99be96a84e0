"""Landmarks of pictures, videos and cameras, written to a folder: what ``pfld predict`` does."""
