"""Pictures and videos as people have them: reading and writing."""
