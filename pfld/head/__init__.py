"""The head in three dimensions: a 3-D model of its landmarks, and head pose estimation."""
