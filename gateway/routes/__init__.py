"""The API's routes, one file for each service's nouns."""
