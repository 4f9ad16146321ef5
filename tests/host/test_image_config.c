// sources: images/config.c images/yaml.c images/typing.c images/scalars.c images/timestamp.c
// sources: images/grants.c images/grant_disk.c images/grant_file.c images/grant_socket.c
// sources: images/rights.c kernel/rights.c images/attributes.c images/address.c images/hostfile.c images/report.c
// sources: images/arena.c images/dump.c argdata/codec_read.c argdata/codec_write.c
// sources: argdata/create.c argdata/get.c argdata/iterate.c argdata/print.c
// libs: -lyaml
/*
 * Good configurations: the exact argdata and grants that come of each, and that what --dump prints
 * reads back as the same argdata.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "images/dump.h"
#include "tests/host/config_fixture.h"

static char *to_hex(struct ad_value value) {
  static char text[4096];
  for (size_t i = 0; i < value.length && 2 * i + 2 < sizeof(text); i++) {
    sprintf(text + 2 * i, "%02x", value.bytes[i]);
  }
  text[2 * value.length] = '\0';
  return text;
}

static char *grant_lines(const struct grants *grants) {
  static char text[1024];
  text[0] = '\0';
  for (size_t i = 0; i < grants->count; i++) {
    strcat(strcat(text, grants->list[i].line), "\n");
  }
  return text;
}

static const struct {
  const char *yaml;
  const char *argdata; /* in hexadecimal */
  const char *grants;
} good[] = {
    /* Nulls. */
    {"", "", ""},
    {"---\n", "", ""},
    {"# only a comment\n", "", ""},
    {"~", "", ""},
    {"null", "", ""},
    {"[~, null, Null, NULL, ]", "0780808080", ""},
    {"a:\n",
     "06830861"
     "0080",
     ""},
    {"!!null anything", "", ""},
    /* Booleans. */
    {"[true, True, TRUE, false, False, FALSE]", "07820201820201820201810281028102", ""},
    {"[yes, No, on, OFF, y, n]",
     "07850879657300"
     "84084e6f00"
     "84086f6e00"
     "85084f464600"
     "83087900"
     "83086e00",
     ""},
    {"[!!bool yes, !!bool n, !!bool true, !!bool \"On\"]",
     "0782020181028202018202"
     "01",
     ""},
    /* Integers. */
    {"0", "05", ""},
    {"[1, -1, +1, 127, 128, -128, 007]",
     "078205018205ff820501"
     "82057f"
     "83050080"
     "820580"
     "820507",
     ""},
    {"[0x10, 0xFF, 0o17, 0x7f]", "07820510830500ff82050f82057f", ""},
    {"[9223372036854775807, -9223372036854775808, 18446744073709551615]",
     "0789057fffffffffffffff890580000000000000008a0500ffffffffffffffff", ""},
    {"[!!int 5, !!int \"5\", !!int 0o10]", "07820505820505820508", ""},
    {"[-0x10, 0x, 0o, 0b1, 1_000, --1, +]",
     "0787082d3078313000"
     "8408307800"
     "8408306f00"
     "850830623100"
     "8708315f30303000"
     "85082d2d3100"
     "83082b00",
     ""},
    /* Floats. */
    {"[1.5, -0.5, .5, 1., 1e3, 1.5E-1]",
     "0789043ff8000000000000"
     "8904bfe0000000000000"
     "89043fe0000000000000"
     "89043ff0000000000000"
     "8904408f400000000000"
     "89043fc3333333333333",
     ""},
    {"[.inf, -.Inf, +.INF, .nan]",
     "0789047ff0000000000000"
     "8904fff0000000000000"
     "89047ff0000000000000"
     "89047ff8000000000000",
     ""},
    {"[!!float 1, !!float \"2.5\"]",
     "0789043ff00000000000008904"
     "4004000000000000",
     ""},
    {"[inf, nan, 1e, 0x1p3, ., 1.2.3]",
     "078508696e6600"
     "85086e616e00"
     "8408316500"
     "8708307831703300"
     "83082e00"
     "8708312e322e3300",
     ""},
    /* Strings. */
    {"hello", "0868656c6c6f00", ""},
    {"\"\"", "0800", ""},
    {"['12', \"true\", '~']", "0784083132008608747275650083087e00", ""},
    {"! 12", "08313200", ""},
    {"!!str 12", "08313200", ""},
    {"!!str", "0800", ""},
    {"\"a\\0b\"", "0861006200", ""},
    {"\"\\u20ac\"", "08e282ac00", ""},
    {"|\n  two\n  lines\n", "0874776f0a6c696e65730a00", ""},
    {">-\n  folded\n  text\n", "08666f6c646564207465787400", ""},
    {"[2015-07-01, 12:30, 10.0.0.1, <<]",
     "078c08323031352d30372d30310087083132"
     "3a333000"
     "8a0831302e302e302e3100"
     "84083c3c00",
     ""},
    /* Binary and timestamps: only with a tag. */
    {"!!binary 3q2+7w==", "01deadbeef", ""},
    {"!!binary |\n  3q2+\n  7w\n", "01deadbeef", ""},
    {"!!binary \"\"", "01", ""},
    {"!!timestamp 1970-01-01", "09", ""},
    {"!!timestamp 1970-01-01T00:00:01Z", "093b9aca00", ""},
    {"!!timestamp 1970-1-1 0:00:01.000000001", "093b9aca01", ""},
    {"!!timestamp 1970-01-01t02:00:01+2", "093b9aca00", ""},
    {"!!timestamp \"1969-12-31 18:30:01 -5:30\"", "093b9aca00", ""},
    {"!!timestamp 1969-12-31T23:59:59.999999999Z", "09ff", ""},
    {"!!timestamp 2016-02-29T12:34:56Z", "09143769c43ae16000", ""},
    /* Containers. */
    {"[]", "07", ""},
    {"{}", "06", ""},
    {"[[], {}, [1]]", "07810781068407820501", ""},
    {"{b: 1, a: 2, b: 3}", "06830862008205018308610082050283086200820503", ""},
    {"? [1]\n: 2\n",
     "06840782"
     "0501820502",
     ""},
    {"{~: 1, 2: ~, true: x}",
     "0680820501820502808202018308"
     "7800",
     ""},
    {"!!map {a: !!seq [1]}",
     "0683086100840782"
     "0501",
     ""},
    {"! [1]", "07820501", ""},
    {"a: &anchor 1\n", "0683086100820501", ""},
    {"1\n---\n2\n", "0501", ""},
    {"1\n...\n@ not YAML\n", "0501", ""},
    {"{\"a\": true, \"b\": 1}",
     "06830861008202018308620082"
     "0501",
     ""},
    /* The manual's configurations. */
    {TAGS "- !fd stdout\n- !fd stdout\n- !fd stdout\n",
     "07850300000000"
     "850300000000"
     "850300000000",
     "fd stdout\n"},
    {TAGS "!socket\n  bind: 0.0.0.0:12345\n", "0300000000", "socket stream listen 0.0.0.0:12345\n"},
    {TAGS "!socket\n  bind: 0.0.0.0:12345\n  type: stream\n", "0300000000",
     "socket stream listen 0.0.0.0:12345\n"},
    {TAGS "!socket\n  bind: '[::]:12345'\n", "0300000000", "socket stream listen [::]:12345\n"},
    /* Grants. */
    {TAGS "listener: !socket\n  bind: 0.0.0.0:8080\nroot: !file\n  path: htdocs\nlog: !fd stdout\n",
     "068a086c697374656e65720085030000000086"
     "08726f6f74008503000000018508"
     "6c6f6700850300000002",
     "socket stream listen 0.0.0.0:8080\nfile files/1 directory\nfd stdout\n"},
    {TAGS "? !fd stderr\n: !fd stdout\n", "06850300000000850300000001", "fd stderr\nfd stdout\n"},
    {TAGS "[!file {path: page.html}, !file {path: page.html}]", "07850300000000850300000001",
     "file files/0 file\nfile files/1 file\n"},
    {TAGS "!file {path: ./htdocs/../page.html}", "0300000000", "file files/0 file\n"},
    {TAGS "[!file {tmpfs: 4096}, !file {tmpfs: 4K}, !file {tmpfs: 16MB}, !file {tmpfs: 1GiB},\n"
          " !file {tmpfs: 5000B}]",
     "07850300000000850300000001850300000002850300000003850300000004",
     "tmpfs 4096\ntmpfs 4096\ntmpfs 16777216\ntmpfs 1073741824\ntmpfs 5000\n"},
    {TAGS "[!file {disk: 0}, !file {disk: 'serial=a b', partition: 3, path: var/a%b, writable: "
          "true},\n"
          " !file {disk: label=x=y, path: /, writable: false, rights: read-only},\n"
          " !file {disk: '1', writable: true, rights: [fd_read]}]",
     "078503000000008503000000018503000000028503000000"
     "03",
     "disk order 0 0 read /\ndisk serial a%20b 3 write var/a%25b\n"
     "disk label x%3dy 0 read / rights=111c49c0be inheriting=111c49c0be\ndisk order 1 0 write / "
     "rights=2 "
     "inheriting=2\n"},
    /* Rights: words, names, and what is taken away; for the descriptor and what is opened through
       it. */
    {TAGS "[!fd {fd: stdout, rights: [fd_write, poll_fd_readwrite]}, !fd {fd: stdout, rights: "
          "fd_write},\n"
          " !fd stdout, !fd {fd: stdout}, !fd {fd: stdout, rights: []}, !fd {fd: stdout, rights: "
          "-fd_write}]",
     "0785030000000085030000000185030000000285030000000285030000000385030000000"
     "4",
     "fd stdout rights=10000040\nfd stdout rights=40\nfd stdout\nfd stdout rights=0\n"
     "fd stdout rights=10080008\n"},
    {TAGS "[!file {path: htdocs, rights: read-only}, !file {path: htdocs, rights: [file_open, "
          "fd_read]},\n"
          " !file {path: htdocs, rights: file_open, inheriting: [fd_read, fd_write]},\n"
          " !file {path: htdocs, inheriting: [-proc_exec, -mem_map_exec]},\n"
          " !file {path: htdocs, rights: all, inheriting: []},\n"
          " !file {path: htdocs, rights: [read-only, file_unlink, -file_open]}]",
     "07850300000000850300000001850300000002850300000003850300000004850300000005",
     "file files/0 directory rights=101049c098 inheriting=111c49c0be\n"
     "file files/1 directory rights=4000 inheriting=4002\n"
     "file files/2 directory rights=4000 inheriting=42\n"
     "file files/3 directory inheriting=1417ffffff\n"
     "file files/4 directory rights=1413effe98 inheriting=0\n"
     "file files/5 directory rights=1012498098 inheriting=111e4980be\n"},
    {TAGS "[!file {path: page.html, rights: [fd_read]}, !file {tmpfs: 1M, rights: [file_open]},\n"
          " !executable {rights: [proc_exec]}, !executable {}, !executable,\n"
          " !socket {bind: 0.0.0.0:80, rights: [sock_accept, fd_read]},\n"
          " !socket {bind: 0.0.0.0:81, inheriting: [fd_read, fd_write]}]",
     "07850300000000850300000001850300000002850300000003850300000003850300000004850300000005",
     "file files/0 file rights=2\ntmpfs 1048576 rights=4000 inheriting=4000\n"
     "executable rights=100000000\nexecutable\n"
     "socket stream listen 0.0.0.0:80 rights=200000002 inheriting=200000002\n"
     "socket stream listen 0.0.0.0:81 inheriting=42\n"},
    {TAGS "!executable", "0300000000", "executable\n"},
    {TAGS "!executable ignored", "0300000000", "executable\n"},
    {TAGS "[!socket {bind: '[2001:DB8:0::1]:80'}, !socket {connect: 10.0.0.1:25},\n"
          " !socket {bind: 0.0.0.0:53, type: dgram}, !socket {connect: '[::1]:53', type: dgram}]",
     "07850300000000850300000001850300000002850300000003",
     "socket stream listen [2001:db8::1]:80\nsocket stream connect 10.0.0.1:25\n"
     "socket dgram bind 0.0.0.0:53\nsocket dgram connect [::1]:53\n"},
    {"!<tag:nuxi.nl,2015:cloudabi/fd> stdout", "0300000000", "fd stdout\n"},
    {"%TAG !c! tag:nuxi.nl,2015:cloudabi/\n---\n!c!fd 'stderr'", "0300000000", "fd stderr\n"},
    {TAGS "[!socket {bind: 0.0.0.0:53}, !socket {bind: 0.0.0.0:53, type: dgram}]",
     "07850300000000850300000001",
     "socket stream listen 0.0.0.0:53\nsocket dgram bind 0.0.0.0:53\n"},
};

static void good_configurations(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    struct arena arena = {0};
    struct config config;
    if (!parse(&config, &arena, good[i].yaml, strlen(good[i].yaml))) {
      fail_msg("%s\nis refused: %s", good[i].yaml, report.message);
    }
    if (strcmp(to_hex(config.argdata), good[i].argdata) != 0) {
      fail_msg("%s\ngives %s, not %s", good[i].yaml, to_hex(config.argdata), good[i].argdata);
    }
    assert_string_equal(grant_lines(&config.grants), good[i].grants);
    arena_free(&arena);
  }
  print_message("%zu good configurations\n", sizeof(good) / sizeof(good[0]));
}

static void paths_begin_at_the_configuration(void **state) {
  struct arena arena = {0};
  struct config config;
  char name[256], expected[256];
  snprintf(name, sizeof(name), "%s/web.yaml", (const char *)*state);
  snprintf(expected, sizeof(expected), "%s/page.html", (const char *)*state);
  FILE *file = fopen("web.yaml", "w");
  fputs(TAGS "!file {path: page.html}\n", file);
  fclose(file);
  report = (struct report){.config = name};
  assert_int_equal(chdir("/"), 0);
  bool loaded = config_load(&config, &arena, &report);
  assert_int_equal(chdir(*state), 0);
  unlink("web.yaml");
  assert_true(loaded);
  assert_string_equal(config.grants.list[0].path, expected);
  arena_free(&arena);
}

static char *dump(const struct config *config, void (*print)(const struct config *, FILE *)) {
  char *text;
  size_t size;
  FILE *stream = open_memstream(&text, &size);
  print(config, stream);
  fclose(stream);
  return text;
}

/* What --dump prints gives the same argdata again, but for descriptors, which it numbers. */
static void dump_reads_back(void **state) {
  (void)state;
  size_t compared = 0;
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    struct arena arena = {0};
    struct config config, again;
    assert_true(parse(&config, &arena, good[i].yaml, strlen(good[i].yaml)));
    char *text = dump(&config, dump_config);
    if (config.grants.count == 0) {
      if (!parse(&again, &arena, text, strlen(text))) {
        fail_msg("%s\n%s", text, report.message);
      }
      assert_string_equal(to_hex(again.argdata), good[i].argdata);
      compared++;
    }
    free(text);
    arena_free(&arena);
  }
  assert_true(compared > 30);
}

/* The rights in words, whichever way is shorter. */
static void dump_of_rights(void **state) {
  (void)state;
  static const char yaml[] = TAGS
      "- !file {path: htdocs, rights: read-only, inheriting: [file_open, fd_read]}\n"
      "- !file {tmpfs: 1M, rights: [-proc_exec, -mem_map_exec]}\n"
      "- !fd {fd: stdout, rights: []}\n";
  struct arena arena = {0};
  struct config config;
  assert_true(parse(&config, &arena, yaml, strlen(yaml)));
  char *text = dump(&config, dump_config);
  assert_string_equal(
      strchr(text, '#'),
      "# 19 bytes of argdata, 3 file descriptors\n"
      "#   0  file files/0 directory rights=101049c098 inheriting=4002  (htdocs)  web.yaml:3:3\n"
      "#      rights: read-only\n"
      "#      inheriting: [fd_read, file_open]\n"
      "#   1  tmpfs 1048576 rights=1413effe98 inheriting=1417ffffff  web.yaml:4:3\n"
      "#      rights: all\n"
      "#      inheriting: [-mem_map_exec, -proc_exec]\n"
      "#   2  fd stdout rights=0  web.yaml:5:3\n"
      "#      rights: []\n");
  free(text);
  arena_free(&arena);
}

static void dump_and_ports(void **state) {
  (void)state;
  static const char yaml[] = TAGS
      "listener: !socket\n  bind: 0.0.0.0:8080\nroot: !file\n  path: htdocs\n"
      "dns: !socket\n  bind: '[::]:53'\n  type: dgram\nup: !socket {connect: 10.0.0.1:80}\n";
  struct arena arena = {0};
  struct config config;
  assert_true(parse(&config, &arena, yaml, strlen(yaml)));
  char *text = dump(&config, dump_config);
  assert_string_equal(text,
                      "%TAG ! tag:nuxi.nl,2015:cloudabi/\n---\n"
                      "listener: !fd 0\nroot: !fd 1\ndns: !fd 2\nup: !fd 3\n"
                      "# 54 bytes of argdata, 4 file descriptors\n"
                      "#   0  socket stream listen 0.0.0.0:8080  web.yaml:3:11\n"
                      "#   1  file files/1 directory  (htdocs)  web.yaml:5:7\n"
                      "#   2  socket dgram bind [::]:53  web.yaml:7:6\n"
                      "#   3  socket stream connect 10.0.0.1:80  web.yaml:10:5\n");
  free(text);
  text = dump(&config, dump_ports);
  assert_string_equal(text, "tcp 8080 0.0.0.0\nudp 53 [::]\n");
  free(text);
  arena_free(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_configurations), cmocka_unit_test(paths_begin_at_the_configuration),
      cmocka_unit_test(dump_reads_back),     cmocka_unit_test(dump_and_ports),
      cmocka_unit_test(dump_of_rights),
  };
  return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
