"""Tests of the ARM emulator, with the real SDKs over https."""
