"""The command line: each module parses one command's options, calls the package and prints."""
