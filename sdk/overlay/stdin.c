/*
 * Stands for musl's stdin: the same stream on the descriptor of overlay/streams.h.
 */
#include "sdk/overlay/streams.h"
#include "stdio_impl.h"

#undef stdin

static unsigned char buffer[BUFSIZ + UNGET];

hidden FILE __stdin_FILE = {
    .buf = buffer + UNGET,
    .buf_size = sizeof(buffer) - UNGET,
    .fd = -1,
    .flags = F_PERM | F_NOWR,
    .read = __stdio_read,
    .seek = __stdio_seek,
    .close = __stdio_close,
    .lock = -1,
};
FILE *const stdin = &__stdin_FILE;
FILE *volatile __stdin_used = &__stdin_FILE;

__attribute__((constructor)) static void find_descriptor(void) {
  __stdin_FILE.fd = __stdio_descriptor("stdin", NULL);
}
