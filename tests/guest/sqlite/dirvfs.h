/*
 * SQLite in a program without ambient paths: a VFS whose files lie below a directory descriptor.
 *
 *     dirvfs_register("data", dir);
 *     sqlite3_open("accounts.db", &db);
 *
 * SQLite is compiled with SQLITE_OS_OTHER=1 and, for threads, SQLITE_THREADSAFE=1; the mutexes are
 * pthread's. All journal modes work, WAL with any number of connections included.
 *
 * What is durable. A commit in WAL mode is with `PRAGMA synchronous=FULL`, SQLite's default. In the
 * modes DELETE and TRUNCATE it is with `EXTRA`: the end of the journal's name or contents is the
 * commit, and FULL does not wait until that is on the medium. Whatever the setting, the database is
 * whole.
 *
 * Locks. CloudABI has no locks on files, and a disk belongs to one machine, so the locks are in
 * this process's memory: connections of one process, of all its threads, exclude each other as
 * SQLite wants it. Another process (made by proc_fork(), or given a descriptor of the directory)
 * is not seen: at most one process may have a database open. The WAL index is in memory for the
 * same reason; after a crash the next connection builds it from the WAL.
 */
#ifndef TESTS_GUEST_SQLITE_DIRVFS_H
#define TESTS_GUEST_SQLITE_DIRVFS_H

/* Makes `dir` a VFS of this name; the first is the default one, and must come before all other use
 * of SQLite. Names of databases are relative to it and may have directories. Both have to stay.
 * Returns an SQLite code. */
int dirvfs_register(const char *name, int dir);

#endif
