"""Automation rules: kept, checked against what they name, and run."""
