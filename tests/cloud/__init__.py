"""Tests of the local cloud's own parts."""
