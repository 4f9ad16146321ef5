/* Minimal Linux /init: loads virtio modules, sets a static address, then
 * executes /server with the arguments the kernel passed after "--". */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void load(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return;
  if (syscall(SYS_finit_module, fd, "", 0))
    perror(path);
  close(fd);
}

static void set(int s, struct ifreq *r, int req, const char *ip) {
  struct sockaddr_in *a = (void *)&r->ifr_addr;
  a->sin_family = AF_INET;
  a->sin_addr.s_addr = inet_addr(ip);
  if (ioctl(s, req, r))
    perror(ip);
}

int main(int argc, char **argv) {
  static const char *const mods[] = {"virtio_ring.ko",
                                     "virtio.ko",
                                     "virtio_pci_legacy_dev.ko",
                                     "virtio_pci_modern_dev.ko",
                                     "virtio_pci.ko",
                                     "virtio_mmio.ko",
                                     "failover.ko",
                                     "net_failover.ko",
                                     "virtio_net.ko",
                                     "virtio_blk.ko"};
  (void)argc;
  mkdir("/dev", 0755);
  mount("dev", "/dev", "devtmpfs", 0, NULL);
  for (unsigned i = 0; i < sizeof mods / sizeof *mods; i++) {
    char p[64];
    snprintf(p, sizeof p, "/m/%s", mods[i]);
    load(p);
  }
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq r = {.ifr_name = "eth0"};
  for (int i = 0; i < 200 && ioctl(s, SIOCGIFINDEX, &r); i++)
    usleep(5000);
  set(s, &r, SIOCSIFADDR, "10.0.2.15");
  set(s, &r, SIOCSIFNETMASK, "255.255.255.0");
  r.ifr_flags = IFF_UP | IFF_RUNNING;
  ioctl(s, SIOCSIFFLAGS, &r);
  struct ifreq l = {.ifr_name = "lo"};
  l.ifr_flags = IFF_UP | IFF_RUNNING;
  ioctl(s, SIOCSIFFLAGS, &l);
  struct rtentry rt = {.rt_flags = RTF_UP | RTF_GATEWAY};
  ((struct sockaddr_in *)&rt.rt_dst)->sin_family = AF_INET;
  ((struct sockaddr_in *)&rt.rt_genmask)->sin_family = AF_INET;
  struct sockaddr_in *g = (void *)&rt.rt_gateway;
  g->sin_family = AF_INET;
  g->sin_addr.s_addr = inet_addr("10.0.2.2");
  ioctl(s, SIOCADDRT, &rt);
  close(s);
  argv[0] = "/server";
  execv("/server", argv);
  perror("execv");
  return 1;
}
