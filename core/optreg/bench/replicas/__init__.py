"""One optimizer on several replicas: do they stay equal, what does each hold, and what does agreeing cost."""
