"""One module a page; the catalog names them, and a page is made when it is first shown."""
