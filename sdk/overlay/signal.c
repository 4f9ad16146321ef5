/*
 * Signals, as far as C itself has them: CloudABI has none that reach a program.
 *
 * raise() calls the handler that signal() set, in the same thread; without a handler the
 * kernel's default action follows. There are no masks, and nothing comes from outside.
 * musl's own signals do not exist but for the one that cancels a thread.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>

#include "ksigaction.h"
#include "pthread_impl.h"
#include "sdk/overlay/overlay.h"

static struct k_sigaction actions[_NSIG];

static const unsigned char numbers[_NSIG] = {
    [SIGABRT] = CLOUDABI_SIGABRT, [SIGALRM] = CLOUDABI_SIGALRM, [SIGBUS] = CLOUDABI_SIGBUS,
    [SIGCHLD] = CLOUDABI_SIGCHLD, [SIGCONT] = CLOUDABI_SIGCONT, [SIGFPE] = CLOUDABI_SIGFPE,
    [SIGHUP] = CLOUDABI_SIGHUP,   [SIGILL] = CLOUDABI_SIGILL,   [SIGINT] = CLOUDABI_SIGINT,
    [SIGKILL] = CLOUDABI_SIGKILL, [SIGPIPE] = CLOUDABI_SIGPIPE, [SIGQUIT] = CLOUDABI_SIGQUIT,
    [SIGSEGV] = CLOUDABI_SIGSEGV, [SIGSTOP] = CLOUDABI_SIGSTOP, [SIGSYS] = CLOUDABI_SIGSYS,
    [SIGTERM] = CLOUDABI_SIGTERM, [SIGTRAP] = CLOUDABI_SIGTRAP, [SIGTSTP] = CLOUDABI_SIGTSTP,
    [SIGTTIN] = CLOUDABI_SIGTTIN, [SIGTTOU] = CLOUDABI_SIGTTOU, [SIGURG] = CLOUDABI_SIGURG,
    [SIGUSR1] = CLOUDABI_SIGUSR1, [SIGUSR2] = CLOUDABI_SIGUSR2, [SIGVTALRM] = CLOUDABI_SIGVTALRM,
    [SIGXCPU] = CLOUDABI_SIGXCPU, [SIGXFSZ] = CLOUDABI_SIGXFSZ,
};

int __signal_to_linux(cloudabi_signal_t signal) {
  for (int i = 0; i < _NSIG; ++i)
    if (numbers[i] == signal)
      return i;
  return 0;
}

static void handle(const struct k_sigaction *action, int signal) {
  siginfo_t info = {.si_signo = signal, .si_code = SI_TKILL};

  if (action->flags & SA_SIGINFO)
    ((void (*)(int, siginfo_t *, void *))action->handler)(signal, &info, NULL);
  else
    action->handler(signal);
}

static long raise_here(int signal) {
  struct k_sigaction action = actions[signal];

  if (action.handler == SIG_IGN)
    return 0;
  if (action.handler == SIG_DFL)
    return numbers[signal] == 0 ? -EINVAL : __error(cloudabi_sys_proc_raise(numbers[signal]));
  if (action.flags & SA_RESETHAND)
    actions[signal].handler = SIG_DFL;
  handle(&action, signal);
  return 0;
}

CALL2(tkill, int, tid, int, signal) {
  if (signal < 0 || signal >= _NSIG)
    return -EINVAL;
  if (signal == SIGCANCEL)
    __futex_interrupt(tid);
  if (signal == 0 || signal == SIGCANCEL)
    return 0;
  return raise_here(signal);
}

/* The only process that a program can name is itself. */
CALL2(kill, int, pid, int, signal) {
  return pid >= -1 && pid <= 1 ? do_tkill(0, signal) : -ESRCH;
}

CALL3(rt_sigaction, int, signal, const struct k_sigaction *, action, struct k_sigaction *, old) {
  if (signal <= 0 || signal >= _NSIG || signal == SIGKILL || signal == SIGSTOP)
    return -EINVAL;
  if (old != NULL)
    *old = actions[signal];
  if (action != NULL)
    actions[signal] = *action;
  return 0;
}

CALL4(rt_sigprocmask, int, how, const void *, set, void *, old, size_t, size) {
  (void)how, (void)set;
  if (old != NULL)
    memset(old, 0, size);
  return 0;
}

CALL2(rt_sigpending, void *, set, size_t, size) {
  memset(set, 0, size);
  return 0;
}
