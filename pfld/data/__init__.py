"""Faces with landmarks: readers, crops, augmentation, pose labels, synthetic faces."""
