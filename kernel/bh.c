/*
 * Bottom halves: a singly linked queue of work.
 *
 * Scheduled from any context; interrupts are off wherever kernel code runs, so the queue needs
 * no lock of its own. Run by the scheduler (thread.c) alone.
 */
#include "kernel/bh.h"

#include <stddef.h>

struct bh *bh_pending;
static struct bh **tail = &bh_pending;

void bh_schedule(struct bh *bh) {
  if (bh->queued)
    return;
  bh->queued = true;
  bh->next = NULL;
  *tail = bh;
  tail = &bh->next;
}

void bh_run(void) {
  struct bh *bh = bh_pending;
  bh_pending = NULL;
  tail = &bh_pending;
  while (bh != NULL) {
    struct bh *next = bh->next;
    bh->queued = false; /* first: it may schedule itself */
    bh->run(bh);
    bh = next;
  }
}
