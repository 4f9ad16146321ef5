# lwIP: which of its files are built, how, and our patches of it.
#
# Included by the top Makefile, which gives BUILD, Q, say, LWIP_VERSION and LWIP_SHA256
# (tools/sources.mk), and takes LWIP_SRCS, LWIP_STAMP and the CFLAGS_… of each file. The source
# package is unpacked under build/ and patched there; nothing of it is in this repository.

LWIP := $(BUILD)/src/lwip
LWIP_STAMP := $(BUILD)/src/.lwip-patched
LWIP_PATCHES := $(sort $(wildcard net/patches/*.patch))

LWIP_CORE := def ip mem memp netif pbuf tcp tcp_in tcp_out udp \
  ipv4/dhcp ipv4/etharp ipv4/icmp ipv4/ip4 ipv4/ip4_addr \
  ipv6/ethip6 ipv6/icmp6 ipv6/ip6 ipv6/ip6_addr ipv6/mld6 ipv6/nd6
LWIP_SRCS := $(LWIP_CORE:%=$(LWIP)/src/core/%.c) $(LWIP)/src/netif/ethernet.c

# Its own style is not ours to judge; what can hide a bug stays on.
LWIP_FLAGS := -Inet/port -I$(LWIP)/src/include
LWIP_RELAXED := -Wno-missing-prototypes -Wno-strict-prototypes -Wno-unused-parameter

# What a request passes through is made fast, the rest small.
NET_FAST := net/netif.c net/stream.c net/stream_send.c net/stream_tcp.c net/port/checksum.c \
  net/port/demux.c net/port/memory.c $(LWIP)/src/netif/ethernet.c \
  $(patsubst %,$(LWIP)/src/core/%.c,memp pbuf tcp_in tcp_out ipv4/etharp ipv4/ip4)

$(foreach f,$(wildcard net/*.c net/port/*.c),$(eval CFLAGS_$(f) := $(LWIP_FLAGS)))
$(foreach f,$(LWIP_SRCS),$(eval CFLAGS_$(f) := $(LWIP_FLAGS) $(LWIP_RELAXED)))
$(foreach f,$(NET_FAST),$(eval CFLAGS_$(f) += $(FAST)))

# Line endings differ from file to file in the package: they are made one before patching.
$(LWIP_STAMP): net/net.mk tools/sources.mk $(LWIP_PATCHES)
	$(call say,FETCH,lwip $(LWIP_VERSION))
	$(Q)rm -rf $(LWIP)
	$(Q)tools/fetch-source lwip $(LWIP_VERSION) $(LWIP_SHA256) $(LWIP)
	$(Q)find $(LWIP)/src -name '*.[ch]' -exec sed -i 's/\r$$//' {} +
	$(Q)for p in $(LWIP_PATCHES); do patch -s -p1 -F0 -d $(LWIP) < $$p || exit 1; done
	$(Q)touch $@

$(LWIP_SRCS): $(LWIP_STAMP) ;
$(patsubst %.c,$(KOBJ)/%.o,$(wildcard net/*.c net/port/*.c)): $(LWIP_STAMP)
