/*
 * What pagecache_room.c has for pagecache.c; pagecache.h has the rest.
 */
#ifndef KERNEL_PAGECACHE_ROOM_H
#define KERNEL_PAGECACHE_ROOM_H

struct pagecache;

/* Memory for one more page of the cache, zeroed if it has no `fill`. NULL: none. */
void *pagecache_page_new(const struct pagecache *pc);
/* Its clean pages may go from now on, until it leaves the list `refillable`. */
void pagecache_may_lose(struct pagecache *pc);

#endif
