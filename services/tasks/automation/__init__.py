"""Automation rules: kept, and checked against what they name."""
