"""Work that outlives the page and the process: asked for in a row of the store, done by an engine behind a port."""
