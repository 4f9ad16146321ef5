/*
 * Grants: the image's table of what the program may use, turned into its first descriptors.
 *
 * The table is text, an entry of the payload. Line i makes descriptor i:
 *
 *     fd stdout                        the console (also: fd stderr)
 *     file files/3 file                a file of the payload, read-only
 *     file files/3 directory           a directory of the payload
 *     tmpfs 16777216                   an empty directory in memory, and how much it may take
 *     disk order 0 0 write /var/app    a file or directory of a disk: `order N`, `serial NAME` or
 *                                      `label NAME`; the partition, or 0; `read` or `write`; the
 *                                      path. In NAME and path, %20 stands for a space, and so on
 *     socket stream listen 0.0.0.0:80  a listening socket (IPv6: [::]:80)
 *     executable                       the program itself
 *
 * Behind them `rights=HEX` and `inheriting=HEX` may follow: what the descriptor keeps of the rights
 * that it would have, and of those that what is opened through it would.
 */
#ifndef KERNEL_GRANTS_H
#define KERNEL_GRANTS_H

#include <stdbool.h>
#include <stddef.h>

struct process;

/* Fills p's empty table, with the rights that its program expects. boot_fail() naming the line that
 * is unknown or that can't be had. Called once, after the devices; `have_network`: there is a
 * network device. */
void grants_install(struct process *p, const char *text, size_t bytes, bool have_network);

#endif
