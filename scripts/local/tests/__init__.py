"""Tests of what the local stack's scripts judge and translate."""
