/*
 * Stands before musl's internal syscall.h: socket calls go straight to their function.
 * musl's own form passes the call's number through an int, too small for an address.
 */
#ifndef OVERLAY_SYSCALL_H
#define OVERLAY_SYSCALL_H

#include_next "syscall.h"

#undef __socketcall
#undef __socketcall_cp
#define __socketcall(nm, a, b, c, d, e, f) __syscall(SYS_##nm, a, b, c, d, e, f)
#define __socketcall_cp(nm, a, b, c, d, e, f) __syscall_cp(SYS_##nm, a, b, c, d, e, f)

#endif
