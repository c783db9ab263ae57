"""What tasks answers and listens to, by capability; `service.py` puts them together."""
