/*
 * Signals by name, for the crash report and the last console line.
 */
#ifndef KERNEL_SIGNAL_NAMES_H
#define KERNEL_SIGNAL_NAMES_H

#include "kernel/abi.h"

/* "SIGSEGV"; "SIG?" for a number that is none. */
static inline const char *signal_name(signal_t sig) {
  static const char *const names[] = {
      [SIGABRT] = "SIGABRT", [SIGALRM] = "SIGALRM", [SIGBUS] = "SIGBUS",
      [SIGCHLD] = "SIGCHLD", [SIGCONT] = "SIGCONT", [SIGFPE] = "SIGFPE",
      [SIGHUP] = "SIGHUP",   [SIGILL] = "SIGILL",   [SIGINT] = "SIGINT",
      [SIGKILL] = "SIGKILL", [SIGPIPE] = "SIGPIPE", [SIGQUIT] = "SIGQUIT",
      [SIGSEGV] = "SIGSEGV", [SIGSTOP] = "SIGSTOP", [SIGSYS] = "SIGSYS",
      [SIGTERM] = "SIGTERM", [SIGTRAP] = "SIGTRAP", [SIGTSTP] = "SIGTSTP",
      [SIGTTIN] = "SIGTTIN", [SIGTTOU] = "SIGTTOU", [SIGURG] = "SIGURG",
      [SIGUSR1] = "SIGUSR1", [SIGUSR2] = "SIGUSR2", [SIGVTALRM] = "SIGVTALRM",
      [SIGXCPU] = "SIGXCPU", [SIGXFSZ] = "SIGXFSZ",
  };
  return sig < sizeof names / sizeof names[0] && names[sig] != NULL ? names[sig] : "SIG?";
}

#endif
