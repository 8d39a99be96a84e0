"""Annotated faces: readers, crops, augmentation, and a writer of WFLW's layout."""
