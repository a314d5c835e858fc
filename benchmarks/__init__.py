"""Measures the product as ratios against a floor or a peer in the same run, on data that is never empty."""
