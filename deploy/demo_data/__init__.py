"""The demonstration firm's files, and the script that wrote them."""
