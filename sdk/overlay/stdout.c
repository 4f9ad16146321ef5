/*
 * Stands for musl's stdout: the same stream on the descriptor of overlay/streams.h.
 */
#include "sdk/overlay/streams.h"
#include "stdio_impl.h"

#undef stdout

static unsigned char buffer[BUFSIZ + UNGET];

hidden FILE __stdout_FILE = {
    .buf = buffer + UNGET,
    .buf_size = sizeof(buffer) - UNGET,
    .fd = -1,
    .flags = F_PERM | F_NORD,
    .lbf = '\n',
    .write = __stdout_write,
    .seek = __stdio_seek,
    .close = __stdio_close,
    .lock = -1,
};
FILE *const stdout = &__stdout_FILE;
FILE *volatile __stdout_used = &__stdout_FILE;

__attribute__((constructor)) static void find_descriptor(void) {
  __stdout_FILE.fd = __stdio_descriptor("stdout", NULL);
}
