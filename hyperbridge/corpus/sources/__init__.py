"""Readers of files: one a format, each with `read(path, source)`, which yields the documents of a file.

`hyperbridge.corpus.documents` finds the files and calls the reader of their suffix. Readers of marked-up text write
into a `TextBuilder`, which knows how text and divisions are laid out; `files` unpacks and `markup` parses, both with
limits, for a book may come from anywhere.
"""
