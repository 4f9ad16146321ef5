/*
 * Stands for musl's stderr: the same stream on the descriptor of overlay/streams.h.
 */
#include "sdk/overlay/streams.h"
#include "stdio_impl.h"

#undef stderr

static unsigned char buffer[UNGET];

hidden FILE __stderr_FILE = {
    .buf = buffer + UNGET,
    .buf_size = sizeof(buffer) - UNGET,
    .fd = -1,
    .flags = F_PERM | F_NORD,
    .lbf = -1,
    .write = __stdio_write,
    .seek = __stdio_seek,
    .close = __stdio_close,
    .lock = -1,
};
FILE *const stderr = &__stderr_FILE;
FILE *volatile __stderr_used = &__stderr_FILE;

__attribute__((constructor)) static void find_descriptor(void) {
  __stderr_FILE.fd = __stdio_descriptor("stderr", "stdout");
}
