"""What clients answers and listens to, by capability, where it is too much for `service.py`."""
