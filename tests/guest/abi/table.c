/*
 * The table, made of the one list of calls. Names of types come without a prefix, as the list
 * spells them, so no header of the C library may stand here.
 */
#include "table.h"

#define ABI(name) name
#define ABI_T(name) name
#include <abi/cloudabi.h>

#define SYSCALL(name, ...) extern errno_t cloudabi_sys_##name();
#include <abi/syscalls.def>

#define CALL(name) (void *)cloudabi_sys_##name
#define SYSCALL0(name, none) {#name, 0, {0}, {0}, CALL(name)},
#define SYSCALL1(name, t1, a1) {#name, 1, {#t1}, {#a1}, CALL(name)},
#define SYSCALL2(name, t1, a1, t2, a2) {#name, 2, {#t1, #t2}, {#a1, #a2}, CALL(name)},
#define SYSCALL3(name, t1, a1, t2, a2, t3, a3) \
  {#name, 3, {#t1, #t2, #t3}, {#a1, #a2, #a3}, CALL(name)},
#define SYSCALL4(name, t1, a1, t2, a2, t3, a3, t4, a4) \
  {#name, 4, {#t1, #t2, #t3, #t4}, {#a1, #a2, #a3, #a4}, CALL(name)},
#define SYSCALL5(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) \
  {#name, 5, {#t1, #t2, #t3, #t4, #t5}, {#a1, #a2, #a3, #a4, #a5}, CALL(name)},
#define SYSCALL6(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6) \
  {#name, 6, {#t1, #t2, #t3, #t4, #t5, #t6}, {#a1, #a2, #a3, #a4, #a5, #a6}, CALL(name)},
#define SYSCALL7(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6, t7, a7) \
  {#name, 7, {#t1, #t2, #t3, #t4, #t5, #t6, #t7}, {#a1, #a2, #a3, #a4, #a5, #a6, #a7}, CALL(name)},

const struct table_call table[] = {
#include <abi/syscalls.def>
};
const size_t table_count = sizeof table / sizeof table[0];

static int equal(const char *a, const char *b) {
  while (*a != '\0' && *a == *b)
    a++, b++;
  return *a == *b;
}

const struct table_call *table_find(const char *name) {
  for (size_t i = 0; i < table_count; i++) {
    if (equal(table[i].name, name))
      return &table[i];
  }
  return NULL;
}
