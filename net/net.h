/*
 * The network stack from outside: what kernel/main.c starts and grants are made of.
 * Kernel lock; see each call.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/abi.h"

struct file;

/* An address as the grant table writes it: "0.0.0.0:8080", "[::]:8080". */
struct net_address {
  bool v6;
  uint8_t addr[16]; /* 4 bytes used for IPv4 */
  uint16_t port;
};
bool net_address_parse(const char *text, size_t len, struct net_address *out);

/* Starts lwIP on the registered device: address by `ip=`, `gw=`, `dns=` of the command line, else
 * DHCP, in the background. boot_fail() on a malformed option. False: there is no device. */
bool net_start(void);

/* A listening stream socket. EADDRINUSE, EADDRNOTAVAIL, ENOMEM. */
errno_t net_listen(const struct net_address *a, struct file **f);

/* The lease, or the static address, came: for the log. */
void net_log_address(void);

#endif
