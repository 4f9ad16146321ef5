/*
 * How musl makes a system call: by calling a function.
 *
 * musl asks for Linux system calls by number. Here the number is the address of the
 * function in this overlay that answers the call (gen-calls.awk writes SYS_name so), and
 * what takes the number and six arguments just calls it. A program then contains the
 * answers of the calls that it makes and no others: the linker drops the rest, which it
 * could not do with a table or a switch behind musl's cancellation points.
 */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

#define __linux_enter(n, a, b, c, d, e, f) (((__linux_call *)(n))(a, b, c, d, e, f))

static __inline long __syscall0(long n) {
  return __linux_enter(n, 0, 0, 0, 0, 0, 0);
}

static __inline long __syscall1(long n, long a) {
  return __linux_enter(n, a, 0, 0, 0, 0, 0);
}

static __inline long __syscall2(long n, long a, long b) {
  return __linux_enter(n, a, b, 0, 0, 0, 0);
}

static __inline long __syscall3(long n, long a, long b, long c) {
  return __linux_enter(n, a, b, c, 0, 0, 0);
}

static __inline long __syscall4(long n, long a, long b, long c, long d) {
  return __linux_enter(n, a, b, c, d, 0, 0);
}

static __inline long __syscall5(long n, long a, long b, long c, long d, long e) {
  return __linux_enter(n, a, b, c, d, e, 0);
}

static __inline long __syscall6(long n, long a, long b, long c, long d, long e, long f) {
  return __linux_enter(n, a, b, c, d, e, f);
}

#define IPC_64 0
