"""Fixtures for the tests of those who write plugins for optreg: docs/testing.md.

pytest loads ``optreg_pytest.plugin`` wherever optreg is installed, so that neither it nor this file may import optreg
or TensorFlow: a test run that uses no fixture of ours pays for nothing. The modules behind the fixtures may, and the
classes in them are there for annotations.
"""
