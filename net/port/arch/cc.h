/*
 * What lwIP wants to know of the compiler and the machine, and where it gets its services.
 *
 * Included by every file of lwIP, in the kernel and in host units. All of lwIP runs under the
 * kernel lock: there is no other protection (NO_SYS).
 */
#ifndef NET_PORT_CC_H
#define NET_PORT_CC_H

#include <stddef.h>
#include <stdint.h>

/* Headers that a freestanding compiler does not have. */
#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H (!__STDC_HOSTED__)
#define LWIP_NO_CTYPE_H 1

/* Formats for messages that are compiled out. */
#define X8_F "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "lwIP's default, and what is below");

/* One instruction each instead of a call. */
#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS 1

/* net/port/memory.c */
void *net_malloc(size_t bytes);
void *net_calloc(size_t count, size_t bytes);
void net_free(void *p);

/* net/port/checksum.c */
uint16_t net_checksum(const void *data, int bytes);
uint16_t net_copy_in(void *dst, const void *src, uint16_t bytes);
#define LWIP_CHKSUM net_checksum
#define LWIP_CHKSUM_COPY(dst, src, len) net_copy_in(dst, src, len)

/* net/port/random.c */
uint32_t net_random(void);
#define LWIP_RAND() net_random()

/* lwIP asserts things that a peer can bring about. They are on where that is looked for, in host
 * units and fuzzers, and in DEBUG kernels; elsewhere no packet may stop the machine. */
#if !__STDC_HOSTED__ && !defined(DEBUG)
#define LWIP_NOASSERT 1
#endif
_Noreturn void net_assert_failed(const char *file, int line);
#define LWIP_PLATFORM_DIAG(x) ((void)0)
#define LWIP_PLATFORM_ASSERT(x) net_assert_failed(__FILE_NAME__, __LINE__)

#endif
