"""Small tools without physics: writing files, threads, the allocator, names of moved modules."""
