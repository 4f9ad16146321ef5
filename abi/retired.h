/*
 * What older versions of the ABI had besides: constants and structures of retired calls. Included
 * by cloudabi.h alone, whose head tells of the prefixes.
 */
#ifndef ABI_RETIRED_H
#define ABI_RETIRED_H

typedef uint32_t ABI_T(backlog_t); /* up to v0.12 */
typedef uint8_t ABI_T(ssflags_t);  /* up to v0.13 */

enum { /* ssflags, and the states of a sockstat; up to v0.13 */
       ABI(SOCKSTAT_CLEAR_ERROR) = 0x01,
       ABI(SOCKSTATE_ACCEPTCONN) = 0x01,
};

enum { /* address families; up to v0.11 */
       ABI(AF_UNSPEC) = 0,
       ABI(AF_INET) = 1,
       ABI(AF_INET6) = 2,
       ABI(AF_UNIX) = 3,
};

enum { /* subflags, of poll_fd; up to v0.15 */
       ABI(SUBSCRIPTION_ADD) = 0x01,
       ABI(SUBSCRIPTION_CLEAR) = 0x02,
       ABI(SUBSCRIPTION_DELETE) = 0x04,
       ABI(SUBSCRIPTION_DISABLE) = 0x08,
       ABI(SUBSCRIPTION_ENABLE) = 0x10,
       ABI(SUBSCRIPTION_ONESHOT) = 0x20,
};

struct ABI_T(sockaddr) { /* up to v0.11 */
  uint8_t sa_family;
  union {
    struct {
      uint8_t addr[4];
      uint16_t port; /* in the machine's byte order */
    } sa_inet;
    struct {
      uint8_t addr[16];
      uint16_t port;
    } sa_inet6;
  };
};

struct ABI_T(sockstat) { /* up to v0.13 */
  struct ABI_T(sockaddr) ss_sockname;
  struct ABI_T(sockaddr) ss_peername;
  ABI_T(errno_t) ss_error;
  uint32_t ss_state;
};

_Static_assert(sizeof(struct ABI_T(sockaddr)) == 20, "sockaddr");
_Static_assert(offsetof(struct ABI_T(sockaddr), sa_inet.port) == 6, "sockaddr");
_Static_assert(offsetof(struct ABI_T(sockaddr), sa_inet6.port) == 18, "sockaddr");
_Static_assert(sizeof(struct ABI_T(sockstat)) == 48, "sockstat");

#endif
