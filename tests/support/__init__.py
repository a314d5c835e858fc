"""What several kinds of tests need. Nothing here can be imported by the product."""
