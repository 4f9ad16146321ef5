/* What files on a disk cost, in any system that has POSIX: see disk.c. */
#ifndef APPS_BENCH_DISK_H
#define APPS_BENCH_DISK_H

enum {
  DISK_PAGES = 2000,     /* read, and written, one by one; at most half of those of `data` / 2 */
  DISK_WRITTEN_MIB = 32, /* of the new file */
  DISK_FILES = 200,      /* made */
};

/* Runs all phases in a directory that holds `data`; `flags` are more ones for open(). Ends the
 * program if something fails. */
void disk_measure(int dir, int flags);

#endif
