/*
 * The entry of a CloudABI program, and what it can ask of its own start.
 *
 * A program defines program_main, or the main of C. Returning from program_main is
 * exit(0). main gets arguments only when the argument data is text: strings, each ended
 * by a NUL byte.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>

#ifndef argdata_t
typedef struct argdata_t argdata_t;
#define argdata_t argdata_t
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The argument data stays valid for the life of the program. */
void program_main(const argdata_t *);

/* Runs another executable in the place of this program: it gets this argument data and the
 * descriptors in it, and no others. Returns an error number if that fails; this program is as it
 * was. */
int program_exec(int fd, const argdata_t *);

/* Runs one in a process of its own and returns a descriptor of it, or -1 and errno. What can be
 * done with it is in <sys/procdesc.h>; closing it ends the process. */
int program_spawn(int fd, const argdata_t *);

/* The argument data as it was handed over, encoded. */
void program_get_raw_argdata(const void **, size_t *);

/* This process's random UUID as text: 36 characters; of zeros if the kernel gave none. */
const char *program_getpid(void);

#ifdef __cplusplus
}
#endif

#endif
