"""accounts: firms and their settings, staff with roles, API keys."""
