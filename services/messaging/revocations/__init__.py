"""Whether what somebody wrote means "write to me no more". `words` asks."""
