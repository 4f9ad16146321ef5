/*
 * What a program can ask of its own start (program.h).
 */
#include <program.h>

#include "sdk/overlay/overlay.h"

void program_get_raw_argdata(const void **data, size_t *length) {
  *data = __startup.argdata;
  *length = __startup.argdata_length;
}

const char *program_getpid(void) {
  static char text[37];
  static const char digits[] = "0123456789abcdef";
  static const unsigned char none[16];
  const unsigned char *bytes = __startup.pid != NULL ? __startup.pid : none;
  char *to = text;

  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *to++ = '-';
    *to++ = digits[bytes[i] >> 4];
    *to++ = digits[bytes[i] & 15];
  }
  return text;
}
