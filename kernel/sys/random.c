/*
 * random_get. Any length; a long one lets others run, and can be killed.
 */
#include "kernel/random.h"

#include "kernel/sys/sys.h"
#include "kernel/thread.h"
#include "kernel/user.h"

#define CHUNK_BYTES 512
#define PAUSE_BYTES 65536 /* between two pauses: about a million instructions */

errno_t sys_random_get(struct thread *t, void *buf, size_t buf_len) {
  uint8_t chunk[CHUNK_BYTES], *to = buf;
  errno_t e = 0;
  (void)t;
  if (!user_range_ok((uintptr_t)buf, buf_len))
    return buf_len == 0 ? 0 : EFAULT;
  for (size_t done = 0; done < buf_len && e == 0;) {
    size_t n = buf_len - done < sizeof chunk ? buf_len - done : sizeof chunk;
    random_bytes(chunk, n);
    e = user_copy_out(to + done, chunk, n);
    done += n;
    if (e == 0 && done % PAUSE_BYTES == 0)
      e = thread_pause();
  }
  return e;
}
