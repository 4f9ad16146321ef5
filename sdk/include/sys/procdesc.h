/*
 * Process descriptors: what a process has of another one that it made. Closing the last descriptor
 * of a process ends it with SIGKILL.
 */
#ifndef SYS_PROCDESC_H
#define SYS_PROCDESC_H

#include <signal.h>

#ifndef WNOHANG
#define WNOHANG 1
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A copy of this process with the calling thread alone. Returns 0 in the child; in the parent 1,
 * with the child's descriptor in *fd; -1 and errno if there is no child. */
int pdfork(int *fd);

/* Waits until the process has ended, and says how: si_code is CLD_EXITED or CLD_KILLED, si_status
 * the exit code or the signal. It can be asked again. With WNOHANG it does not wait: si_signo is 0
 * if the process still runs. Returns an error number: EBADF, EINVAL. */
int pdwait(int fd, siginfo_t *info, int options);

#ifdef __cplusplus
}
#endif

#endif
