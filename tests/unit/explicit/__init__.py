"""Tests of what serves class-style plugins."""
