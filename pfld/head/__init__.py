"""The head in three dimensions: a model of its landmarks, and the pose of a face."""
