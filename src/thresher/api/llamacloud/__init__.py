"""The parse API: files, directories of them, batches, and the results of each file, as its official clients know them."""
