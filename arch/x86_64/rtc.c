/*
 * The wall clock: the CMOS real-time clock, read once at boot. It is taken to run in UTC. Where
 * there is none, the hypervisor is asked.
 */
#include "arch/x86_64/x86.h"

enum {
  CMOS_INDEX = 0x70,
  CMOS_DATA = 0x71,
  NMI_OFF = 0x80,
  STATUS_A = 10,
  STATUS_B = 11,
  A_UPDATING = 1 << 7,
  B_24_HOURS = 1 << 1,
  B_BINARY = 1 << 2,
  HOUR_PM = 1 << 7,
  TRIES = 100000, /* an update takes 2 ms at most */
};

enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, FIELDS };

static uint8_t read_cmos(uint8_t reg) {
  x86_out8(CMOS_INDEX, reg | NMI_OFF);
  return x86_in8(CMOS_DATA);
}

/* All fields from between two updates. False: the clock is never at rest. */
static bool read_fields(uint8_t field[FIELDS]) {
  static const uint8_t reg[FIELDS] = {0, 2, 4, 7, 8, 9};
  for (unsigned i = 0; i < TRIES; i++) {
    if (read_cmos(STATUS_A) & A_UPDATING)
      continue;
    for (unsigned k = 0; k < FIELDS; k++)
      field[k] = read_cmos(reg[k]);
    if (!(read_cmos(STATUS_A) & A_UPDATING) && read_cmos(reg[SECOND]) == field[SECOND])
      return true;
  }
  return false;
}

static uint8_t from_bcd(uint8_t v) {
  return (uint8_t)((v >> 4) * 10 + (v & 15));
}

/* Days from 1970 to a date of the Gregorian calendar. */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day) {
  /* Years that begin in March put the leap day at their end. */
  unsigned y = month > 2 ? year : year - 1;
  unsigned m = month > 2 ? month - 3 : month + 9;
  return 365ull * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

uint64_t arch_wallclock_ns(void) {
  uint8_t f[FIELDS];
  uint8_t format = read_cmos(STATUS_B);
  if (format == 0xff || !read_fields(f)) /* 0xff: nobody answers at the port */
    return x86_kvm_wallclock_ns();
  bool pm = (f[HOUR] & HOUR_PM) && !(format & B_24_HOURS);
  f[HOUR] &= (uint8_t)~HOUR_PM;
  for (unsigned i = 0; i < FIELDS && !(format & B_BINARY); i++)
    f[i] = from_bcd(f[i]);
  if (!(format & B_24_HOURS))
    f[HOUR] = (uint8_t)(f[HOUR] % 12 + (pm ? 12 : 0));
  if (f[MONTH] < 1 || f[MONTH] > 12 || f[DAY] < 1 || f[DAY] > 31 || f[HOUR] > 23)
    return 0;
  uint64_t days = days_since_1970(2000u + f[YEAR] % 100, f[MONTH], f[DAY]);
  return (((days * 24 + f[HOUR]) * 60 + f[MINUTE]) * 60 + f[SECOND]) * 1000000000;
}
