"""The one HTTP edge: the API, webhooks in, portal pages, the sandbox's pages, docs."""
