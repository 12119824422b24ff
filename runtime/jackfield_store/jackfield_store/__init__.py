"""All that lasts: database, keys, journal, access, stored connections, files, their management, and the queue."""
