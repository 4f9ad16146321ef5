/* CloudABI's types and constants: names with the prefixes CLOUDABI_ and cloudabi_. */
#ifndef CLOUDABI_TYPES_H
#define CLOUDABI_TYPES_H

#include <abi/cloudabi.h>

#endif
