/*
 * The start of the network: limits, lwIP, the interface, and its address.
 *
 * The address comes from the command line (ip=10.0.2.15/24 gw=10.0.2.2), else by DHCP in the
 * background while the program starts. IPv6 addresses come from router advertisements beside it.
 * Called once at boot by kernel/main.c; the status callback runs in the bottom half.
 */
#include "net/net.h"

#include "kernel/cmdline.h"
#include "kernel/end.h"
#include "kernel/log.h"
#include "kernel/string.h"
#include "lwip/dhcp.h"
#include "lwip/ip6_addr.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/udp.h"
#include "net/port/port.h"
#include "net/stack.h"

struct config {
  bool fixed; /* else DHCP */
  ip4_addr_t address, mask, gateway, dns;
};

static void parse_fixed(const char *value, struct config *c) {
  const char *slash = strchr(value, '/');
  unsigned bits = 0;
  bool ok = slash != NULL && net_parse_ip4(value, (size_t)(slash - value), &c->address);
  const char *digit = slash;
  while (ok && *++digit != '\0') {
    ok = *digit >= '0' && *digit <= '9' && digit - slash <= 2;
    bits = bits * 10 + (unsigned)(*digit - '0');
  }
  if (!ok || slash[1] == '\0' || bits == 0 || bits > 32)
    boot_fail(
        "ip=%s on the command line: expected an address with its prefix, such as "
        "10.0.2.15/24, or dhcp",
        value);
  c->fixed = true;
  ip4_addr_set_u32(&c->mask, lwip_htonl(0xffffffffu << (32 - bits)));
}

static void parse_address(const char *name, ip4_addr_t *out) {
  const char *value = cmdline_get(name);
  ip4_addr_set_zero(out);
  if (value != NULL && !net_parse_ip4(value, strlen(value), out))
    boot_fail("%s=%s on the command line: expected an address such as 10.0.2.2", name, value);
}

static void configure(struct config *c) {
  const char *ip = cmdline_get("ip");
  memset(c, 0, sizeof *c);
  if (ip != NULL && strcmp(ip, "dhcp") != 0)
    parse_fixed(ip, c);
  parse_address("gw", &c->gateway);
  parse_address("dns", &c->dns);
  if (!c->fixed && !ip4_addr_isany_val(c->gateway))
    boot_fail("gw= on the command line needs ip=: DHCP brings its own gateway");
}

#define IP4_FORMAT "%u.%u.%u.%u"
#define IP4_BYTES(a) ip4_addr1(a), ip4_addr2(a), ip4_addr3(a), ip4_addr4(a)

void net_log_address(void) {
  const ip4_addr_t *ip = netif_ip4_addr(&net_if), *gw = netif_ip4_gw(&net_if);
  unsigned bits = (unsigned)__builtin_popcount(ip4_addr_get_u32(netif_ip4_netmask(&net_if)));
  const struct dhcp *dhcp = netif_dhcp_data(&net_if);
  const char *how = dhcp != NULL ? " by DHCP" : "";
  if (ip4_addr_isany(ip))
    log_info("network: no address yet");
  else if (ip4_addr_isany(gw))
    log_info("network: " IP4_FORMAT "/%u%s, no gateway", IP4_BYTES(ip), bits, how);
  else
    log_info("network: " IP4_FORMAT "/%u%s, gateway " IP4_FORMAT, IP4_BYTES(ip), bits, how,
             IP4_BYTES(gw));
}

#if LWIP_IPV6
static void log_ip6(struct netif *netif) {
  static uint8_t logged; /* a bit for each that was told of */
  for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
    if (!ip6_addr_isvalid(netif_ip6_addr_state(netif, i))) {
      logged &= (uint8_t) ~(1u << i);
    } else if ((logged & 1u << i) == 0) {
      char text[IP6ADDR_STRLEN_MAX];
      logged |= (uint8_t)(1u << i);
      ip6addr_ntoa_r(netif_ip6_addr(netif, i), text, sizeof text);
      for (char *c = text; *c != '\0'; c++)
        *c |= *c >= 'A' && *c <= 'F' ? 32 : 0; /* RFC 5952 */
      log_info("network: %s", text);
    }
  }
}
#endif

static void status_changed(struct netif *netif) {
  static ip4_addr_t logged;
  if (!ip4_addr_cmp(&logged, netif_ip4_addr(netif))) {
    ip4_addr_copy(logged, *netif_ip4_addr(netif));
    if (!ip4_addr_isany_val(logged))
      net_log_address();
  }
#if LWIP_IPV6
  log_ip6(netif);
#endif
}

/* A closed connection that has not sent everything, or whose peer has not acknowledged it. */
static bool unsent(void) {
  for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
    if (pcb->state > SYN_RCVD && (pcb->unsent != NULL || pcb->unacked != NULL))
      return true;
  }
  return false;
}

static struct unfinished sending = {.some_left = unsent};

bool net_start(void) {
  struct config c;
  configure(&c); /* also without a device: mistakes are told in any case */
  struct netdev *dev = net_device();
  if (dev == NULL)
    return false;
  if (net_memory_init() != 0)
    boot_fail("not enough memory for the network; give the machine more (-m)");
  net_isn_init();
  netif_init();
  udp_init();
  tcp_init();
  net_if_start(dev);
  netif_set_status_callback(&net_if, status_changed);
  net_timers_init();
  machine_end_waits_for(&sending);
  if (c.fixed)
    netif_set_addr(&net_if, &c.address, &c.mask, &c.gateway);
  else if (dhcp_start(&net_if) != ERR_OK)
    log_warn("network: DHCP can't start for want of memory");
  net_flush();
  return true;
}
