"""Pages, sockets and what guards them."""
