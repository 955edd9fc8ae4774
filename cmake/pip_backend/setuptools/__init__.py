"""A stand-in for setuptools, seen only by the pip call in fetch_pypcode.cmake (see build_meta.py)."""
