/*
 * The machine that the kernel's code runs on in this program.
 */
#ifndef TOOLS_EXT4TOOL_MACHINE_H
#define TOOLS_EXT4TOOL_MACHINE_H

#include <stdbool.h>

/* Before anything else of the kernel's; false: there is no memory. */
bool machine_init(void);

#endif
