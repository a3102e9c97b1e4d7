"""One file a page: which rows it shows, in which panels. What they look like is in the templates."""
