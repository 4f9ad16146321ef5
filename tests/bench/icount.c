/* icount: a QEMU TCG plugin that counts guest instructions and stamps the
 * counters whenever the guest executes a marker instruction.
 *
 * Build:  gcc -O2 -shared -fPIC -o icount.so icount.c
 * Use:    qemu-system-x86_64 ... -plugin ./icount.so,out=marks.txt[,pc=0x100000]
 *
 * Counters (one vCPU assumed; run with -smp 1):
 *   hi    instructions at addresses with bit 63 set    (usually the kernel)
 *   lo    instructions at all other addresses          (user code, firmware)
 *   rep   iterations of REP string instructions, which TCG runs one at a time
 *         and which are therefore kept out of hi and lo
 *   repb  bytes those iterations handled
 *
 * A marker is an instruction without effect that no compiler emits:
 *   x86-64   0f 1f 80 nn 00 4b 4d   nopl 0x4d4b00nn(%rax)
 *   aarch64  movz xzr, #(0x4d00+nn), lsl #48
 * Each execution writes one line: "<nn> <hi> <lo> <rep> <repb>".  Option
 * pc=ADDR writes a line whose name is "pc" the first time ADDR is executed.
 *
 * The declarations below cover plugin API version 1 (QEMU 4.2 to 8.2).
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
typedef uint64_t plugin_id;
struct tb;
struct insn;
enum inline_op { ADD_U64 };
enum cb_flags { CB_NO_REGS };
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct tb *));
void qemu_plugin_register_vcpu_insn_exec_cb(struct insn *, void (*)(unsigned, void *),
                                            enum cb_flags, void *);
void qemu_plugin_register_vcpu_insn_exec_inline(struct insn *, enum inline_op, void *, uint64_t);
size_t qemu_plugin_tb_n_insns(const struct tb *);
struct insn *qemu_plugin_tb_get_insn(const struct tb *, size_t);
const void *qemu_plugin_insn_data(const struct insn *);
size_t qemu_plugin_insn_size(const struct insn *);
uint64_t qemu_plugin_insn_vaddr(const struct insn *);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
EXPORT int qemu_plugin_version = 1;

static uint64_t hi, lo, rep, repb;
static uint64_t pc_wanted;
static bool pc_seen, is_x86;
static FILE *out;

static void stamp(const char *name) {
  fprintf(out, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", name, hi, lo, rep, repb);
  fflush(out);
}

static void on_marker(unsigned cpu, void *arg) {
  (void)cpu;
  char name[16];
  snprintf(name, sizeof name, "%u", (unsigned)(uintptr_t)arg);
  stamp(name);
}

static void on_pc(unsigned cpu, void *arg) {
  (void)cpu;
  (void)arg;
  if (!pc_seen) {
    pc_seen = true;
    stamp("pc");
  }
}

/* The number of a marker instruction, or 0. */
static unsigned marker_number(const uint8_t *b, size_t n) {
  if (is_x86) {
    if (n == 7 && b[0] == 0x0f && b[1] == 0x1f && b[2] == 0x80 && b[4] == 0x00 && b[5] == 0x4b &&
        b[6] == 0x4d)
      return b[3];
  } else if (n == 4) {
    uint32_t w;
    memcpy(&w, b, 4);
    if ((w & 0xffffe01fu) == (0xd2e0001fu | 0x4d00u << 5))
      return w >> 5 & 0xff;
  }
  return 0;
}

/* Operand bytes of a REP string instruction, or 0 if it is not one. */
static unsigned rep_width(const uint8_t *b, size_t n) {
  bool has_rep = false, half = false, wide = false;
  size_t i = 0;
  if (!is_x86)
    return 0;
  for (; i < n; i++) {
    if (b[i] == 0xf2 || b[i] == 0xf3)
      has_rep = true;
    else if (b[i] == 0x66)
      half = true;
    else if (b[i] != 0x67 && b[i] != 0x2e && b[i] != 0x36 && b[i] != 0x3e && b[i] != 0x26 &&
             b[i] != 0x64 && b[i] != 0x65)
      break;
  }
  if (i < n && (b[i] & 0xf0) == 0x40 && i + 2 == n)
    wide = b[i++] & 8;
  if (!has_rep || i + 1 != n)
    return 0;
  switch (b[i] & 0xfe) {
    case 0x6c:
    case 0x6e: /* ins, outs */
    case 0xa4:
    case 0xa6:
    case 0xaa:
    case 0xac:
    case 0xae: /* movs .. scas */
      return !(b[i] & 1) ? 1 : wide ? 8 : half ? 2 : 4;
  }
  return 0;
}

static void on_translate(plugin_id id, struct tb *tb) {
  (void)id;
  size_t n = qemu_plugin_tb_n_insns(tb);
  for (size_t i = 0; i < n; i++) {
    struct insn *in = qemu_plugin_tb_get_insn(tb, i);
    const uint8_t *b = qemu_plugin_insn_data(in);
    size_t size = qemu_plugin_insn_size(in);
    uint64_t at = qemu_plugin_insn_vaddr(in);
    unsigned w = rep_width(b, size), m = marker_number(b, size);
    if (w) {
      qemu_plugin_register_vcpu_insn_exec_inline(in, ADD_U64, &rep, 1);
      qemu_plugin_register_vcpu_insn_exec_inline(in, ADD_U64, &repb, w);
    } else {
      qemu_plugin_register_vcpu_insn_exec_inline(in, ADD_U64, at >> 63 ? &hi : &lo, 1);
    }
    if (m)
      qemu_plugin_register_vcpu_insn_exec_cb(in, on_marker, CB_NO_REGS, (void *)(uintptr_t)m);
    if (pc_wanted && at == pc_wanted)
      qemu_plugin_register_vcpu_insn_exec_cb(in, on_pc, CB_NO_REGS, NULL);
  }
}

static void on_exit_(plugin_id id, void *arg) {
  (void)id;
  (void)arg;
  stamp("end");
  fclose(out);
}

struct info_head {
  const char *target_name;
};

EXPORT int qemu_plugin_install(plugin_id id, const struct info_head *info, int argc, char **argv) {
  out = stderr;
  is_x86 = strstr(info->target_name, "86") != NULL;
  for (int i = 0; i < argc; i++) {
    if (!strncmp(argv[i], "out=", 4) && !(out = fopen(argv[i] + 4, "w")))
      return -1;
    if (!strncmp(argv[i], "pc=", 3))
      pc_wanted = strtoull(argv[i] + 3, NULL, 0);
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
  qemu_plugin_register_atexit_cb(id, on_exit_, NULL);
  return 0;
}
