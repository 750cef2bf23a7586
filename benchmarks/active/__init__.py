"""What `active_pool.py` is made of."""
