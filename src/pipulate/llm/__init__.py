"""Language models behind one port: what is asked, what comes back, and what is known about each."""
