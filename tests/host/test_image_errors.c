// sources: images/config.c images/yaml.c images/typing.c images/scalars.c images/timestamp.c
// sources: images/grants.c images/grant_disk.c images/grant_file.c images/grant_socket.c
// sources: images/rights.c kernel/rights.c images/attributes.c images/address.c images/hostfile.c images/report.c
// sources: images/arena.c argdata/codec_read.c argdata/codec_write.c
// libs: -lyaml
/*
 * Bad configurations: the exact message for each, with its place in the file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/config_fixture.h"

static const struct {
  const char *yaml;
  const char *message;
} bad[] = {
    /* Syntax. */
    {"a: [1, 2\n",
     "web.yaml:2:1: did not find expected ',' or ']', while parsing a flow sequence "
     "that begins on line 1; accepted: YAML 1.1"},
    {"a: 1\n b: 2\n",
     "web.yaml:2:3: mapping values are not allowed in this context; accepted: YAML "
     "1.1"},
    {"\ta: 1\n",
     "web.yaml:1:1: found character that cannot start any token, while scanning for the "
     "next token that begins on line 1; accepted: YAML 1.1"},
    {"a: \"x",
     "web.yaml:1:6: found unexpected end of stream, while scanning a quoted scalar that "
     "begins on line 1; accepted: YAML 1.1"},
    {"a: 1\nb: \xff\n", "web.yaml:2:4: invalid leading UTF-8 octet; accepted: YAML in UTF-8"},
    {"a: \x01\n", "web.yaml:1:4: control characters are not allowed; accepted: YAML in UTF-8"},
    {"!x!fd stdout",
     "web.yaml:1:1: found undefined tag handle, while parsing a node that begins on "
     "line 1; accepted: YAML 1.1"},
    {"- &a 1\n- *a\n", "web.yaml:2:3: alias *a; accepted: the value itself, written out"},
    /* Typing. */
    {"- 18446744073709551616\n",
     "web.yaml:1:3: \"18446744073709551616\" is too large an integer; accepted: "
     "-9223372036854775808 to 18446744073709551615, or quotes for a string"},
    {"-9223372036854775809",
     "web.yaml:1:1: \"-9223372036854775809\" is too large an integer; accepted: "
     "-9223372036854775808 to 18446744073709551615, or quotes for a string"},
    {"1e999",
     "web.yaml:1:1: \"1e999\" is too large a number; accepted: what a double can hold, or "
     "quotes for a string"},
    {"!!int ten",
     "web.yaml:1:1: \"ten\" is not an integer; accepted: decimal, 0o octal or 0x "
     "hexadecimal digits"},
    {"!!int 0x10000000000000000",
     "web.yaml:1:1: \"0x10000000000000000\" is too large an integer; accepted: "
     "-9223372036854775808 to 18446744073709551615"},
    {"!!bool maybe",
     "web.yaml:1:1: \"maybe\" is not a boolean; accepted: true, yes, on, y, false, "
     "no, off, n"},
    {"!!float x",
     "web.yaml:1:1: \"x\" is not a number; accepted: decimal digits, with .fraction "
     "and e+exponent, .inf or .nan"},
    {"!!float 1e999",
     "web.yaml:1:1: \"1e999\" is too large a number; accepted: what a double can "
     "hold"},
    {"!!binary 3q2*",
     "web.yaml:1:1: \"3q2*\" is not base64; accepted: A-Z, a-z, 0-9, + and /, in "
     "groups of four"},
    {"!!binary 3q2+7",
     "web.yaml:1:1: \"3q2+7\" is not base64; accepted: A-Z, a-z, 0-9, + and /, in "
     "groups of four"},
    {"!!timestamp 2015-02-29",
     "web.yaml:1:1: \"2015-02-29\" is not a timestamp; accepted: YYYY-MM-DD or "
     "YYYY-MM-DDThh:mm:ss, with .fraction and Z or +hh:mm if wanted"},
    {"!!timestamp 2015-07-01T25:00:00Z",
     "web.yaml:1:1: \"2015-07-01T25:00:00Z\" is not a timestamp; accepted: YYYY-MM-DD or "
     "YYYY-MM-DDThh:mm:ss, with .fraction and Z or +hh:mm if wanted"},
    {"!!set {a, b}", "web.yaml:1:1: tag !!set on a map; accepted: !!map"},
    {"!!map [a]", "web.yaml:1:1: tag !!map on a sequence; accepted: !!seq"},
    {"!!merge x",
     "web.yaml:1:1: tag !!merge on a scalar; accepted: !!binary, !!bool, !!float, "
     "!!int, !!null, !!str, !!timestamp"},
    /* Tags. */
    {"a: !fd stdout\n",
     "web.yaml:1:4: tag !fd without its prefix; accepted: a file that begins with "
     "the lines \"%TAG ! tag:nuxi.nl,2015:cloudabi/\" and \"---\""},
    {"!socket {bind: 0.0.0.0:80}",
     "web.yaml:1:1: tag !socket without its prefix; accepted: a file that begins with the lines "
     "\"%TAG ! tag:nuxi.nl,2015:cloudabi/\" and \"---\""},
    {"!point {x: 1}",
     "web.yaml:1:1: unknown tag !point; accepted: !executable, !fd, !file, !socket "
     "and YAML's own"},
    {TAGS "!sokcet {bind: 0.0.0.0:80}",
     "web.yaml:3:1: unknown tag !sokcet; accepted: !executable, !fd, !file, !socket"},
    {"!<tag:example.org,2020:x> 1",
     "web.yaml:1:1: unknown tag tag:example.org,2020:x; accepted: "
     "!executable, !fd, !file, !socket and YAML's own"},
    {TAGS "!flower_switchboard_handle {switchboard_path: /tmp/s}",
     "web.yaml:3:1: !flower_switchboard_handle is not served by this system; accepted: "
     "!executable, "
     "!fd, !file, !socket"},
    /* !fd and !executable. */
    {TAGS "in: !fd stdin\n",
     "web.yaml:3:5: !fd \"stdin\": the console takes output only; accepted: "
     "stdout, stderr"},
    {TAGS "!fd 3",
     "web.yaml:3:1: !fd \"3\": a virtual machine inherits no descriptors; accepted: "
     "stdout, stderr"},
    {TAGS "!fd console", "web.yaml:3:1: !fd \"console\"; accepted: stdout, stderr"},
    {TAGS "!fd", "web.yaml:3:1: !fd \"\"; accepted: stdout, stderr"},
    {TAGS "!fd {name: stdout}",
     "web.yaml:3:6: unknown attribute \"name\" of !fd; accepted: fd, rights"},
    {TAGS "!fd {rights: all}",
     "web.yaml:3:1: !fd without its attribute fd; accepted: fd with stdout or stderr"},
    {TAGS "!fd {fd: 3}",
     "web.yaml:3:10: !fd \"3\": a virtual machine inherits no descriptors; accepted: stdout, "
     "stderr"},
    {TAGS "!fd [stdout]",
     "web.yaml:3:1: !fd with a sequence; accepted: stdout, stderr, or a map with fd, rights"},
    {TAGS "!executable {path: x}",
     "web.yaml:3:14: unknown attribute \"path\" of !executable; accepted: rights"},
    {TAGS "!executable [x]",
     "web.yaml:3:1: !executable with a sequence; accepted: nothing behind it, or a map with "
     "rights"},
    /* !file. */
    {TAGS "!file htdocs",
     "web.yaml:3:1: !file with a scalar; accepted: a map with path, tmpfs, disk, partition, "
     "writable, rights, inheriting"},
    {TAGS "!file {}",
     "web.yaml:3:1: !file without its attribute path; accepted: path with the name "
     "of a file or directory, tmpfs with a size, or disk"},
    {TAGS "root: !file\n  path: htdcos\n",
     "web.yaml:4:9: cannot open htdcos: No such file or directory; accepted: a file or directory"},
    {TAGS "root: !file\n  path: /no/such/place\n",
     "web.yaml:4:9: cannot open /no/such/place: No such file or directory; accepted: a file or "
     "directory"},
    {TAGS "root: !file\n  path: page.html/x\n",
     "web.yaml:4:9: cannot open page.html/x: Not a directory; accepted: a file or directory"},
    {TAGS "!file {path: pipe}",
     "web.yaml:3:14: pipe is a device, pipe or socket; accepted: a file "
     "or directory"},
    {TAGS "!file {path: }",
     "web.yaml:3:14: a path that is empty or contains a NUL; accepted: the "
     "name of a file or directory"},
    {TAGS "!file {path: \"a\\0b\"}",
     "web.yaml:3:14: a path that is empty or contains a NUL; "
     "accepted: the name of a file or directory"},
    {TAGS "!file {path: htdocs, mode: rw}",
     "web.yaml:3:22: unknown attribute \"mode\" of !file; accepted: path, tmpfs, disk, "
     "partition, writable, rights, inheriting"},
    {TAGS "!file {path: htdocs, path: htdocs}",
     "web.yaml:3:22: attribute path of !file is given twice (also on line 3); accepted: once"},
    {TAGS "!file {path: [htdocs]}",
     "web.yaml:3:14: attribute path of !file is not a string; accepted: a string"},
    {TAGS "!file {path: !!int 5}",
     "web.yaml:3:14: attribute path of !file is not a string; accepted: a string"},
    {TAGS "!file {path: !fd stdout}",
     "web.yaml:3:14: attribute path of !file is not a string; accepted: a string"},
    {TAGS "!file {[path]: htdocs}",
     "web.yaml:3:8: an attribute of !file that is not a name; accepted: path, tmpfs, disk, "
     "partition, writable, rights, inheriting"},
    {TAGS "!file {path: htdocs, tmpfs: 1M}",
     "web.yaml:3:1: !file with both path and tmpfs; accepted: one of them"},
    {TAGS "!file {tmpfs: 1T}",
     "web.yaml:3:15: size \"1T\"; accepted: 4K or more, such as 512K, 16M, 1G"},
    {TAGS "!file {tmpfs: }",
     "web.yaml:3:15: size \"\"; accepted: 4K or more, such as 512K, 16M, 1G"},
    {TAGS "!file {tmpfs: -1}",
     "web.yaml:3:15: size \"-1\"; accepted: 4K or more, such as 512K, 16M, 1G"},
    {TAGS "!file {tmpfs: M}",
     "web.yaml:3:15: size \"M\"; accepted: 4K or more, such as 512K, 16M, 1G"},
    {TAGS "!file {tmpfs: 16iB}",
     "web.yaml:3:15: size \"16iB\"; accepted: 4K or more, such as 512K, 16M, 1G"},
    {TAGS "!file {tmpfs: 1.5G}",
     "web.yaml:3:15: size \"1.5G\"; accepted: 4K or more, such as 512K, 16M, 1G"},
    {TAGS "!file {tmpfs: 4095}",
     "web.yaml:3:15: size \"4095\" is too small; accepted: 4K or more, such as 512K, 16M, 1G"},
    {TAGS "!file {tmpfs: 8589934592G}",
     "web.yaml:3:15: size \"8589934592G\" is too large; accepted: 4K or more, such as 512K, 16M, "
     "1G"},
    {TAGS "!file {tmpfs: 99999999999999999999}",
     "web.yaml:3:15: size \"99999999999999999999\" is too large; accepted: 4K or more, such as "
     "512K, "
     "16M, 1G"},
    {TAGS "!file {disk: sda}",
     "web.yaml:3:14: disk \"sda\"; accepted: 0, 1, … by order, serial=NAME, label=NAME"},
    {TAGS "!file {disk: label=}",
     "web.yaml:3:14: disk \"label=\"; accepted: 0, 1, … by order, serial=NAME, label=NAME"},
    {TAGS "!file {disk: 10000}",
     "web.yaml:3:14: disk \"10000\"; accepted: 0, 1, … by order, serial=NAME, label=NAME"},
    {TAGS "!file {disk: 0, partition: 0}",
     "web.yaml:3:28: partition \"0\"; accepted: a number from 1"},
    {TAGS "!file {disk: label=a, partition: 1}",
     "web.yaml:3:34: partition of a disk that is given by label; accepted: a label alone, which "
     "finds partitions too"},
    {TAGS "!file {disk: 0, path: var/../etc}",
     "web.yaml:3:23: path \"var/../etc\" on a disk; accepted: the name of a file or directory "
     "there, without .."},
    {TAGS "!file {disk: 0, writable: 1}", "web.yaml:3:27: writable \"1\"; accepted: true, false"},
    {TAGS "!file {disk: 0, tmpfs: 1M}",
     "web.yaml:3:1: !file with both disk and tmpfs; accepted: one of them"},
    {TAGS "!file {path: htdocs, writable: true}",
     "web.yaml:3:32: !file with writable, but without disk; accepted: disk"},
    {TAGS "!file {disk: 0, rights: [fd_write]}",
     "web.yaml:3:26: what is not writable cannot have the right fd_write; accepted: all, "
     "read-only, fd_read, fd_seek, fd_stat_put_flags, fd_sync, fd_tell"},
    /* Rights. */
    {TAGS "!fd {fd: stdout, rights: [fd_write, fd_raed]}",
     "web.yaml:3:37: unknown right \"fd_raed\"; accepted: all, read-only, fd_stat_put_flags, "
     "fd_write, "
     "file_stat_fget, poll_fd_readwrite"},
    {TAGS "!fd {fd: stdout, rights: -file_open}",
     "web.yaml:3:26: the console cannot have the right file_open; accepted: all, read-only, "
     "fd_stat_put_flags, fd_write, file_stat_fget, poll_fd_readwrite"},
    {TAGS "!fd {fd: stdout, rights: fd_write, inheriting: all}",
     "web.yaml:3:36: unknown attribute \"inheriting\" of !fd; accepted: fd, rights"},
    {TAGS "!executable {rights: [fd_write]}",
     "web.yaml:3:23: a file of the image cannot have the right fd_write; accepted: all, read-only, "
     "fd_datasync, fd_read, fd_seek, fd_stat_put_flags, fd_sync, fd_tell"},
    {TAGS "!file {path: page.html, inheriting: []}",
     "web.yaml:3:37: nothing is opened through a file of the image; accepted: inheriting with a "
     "directory or a socket"},
    {TAGS "!file {path: htdocs, rights: readonly}",
     "web.yaml:3:30: unknown right \"readonly\"; accepted: all, read-only, or names of rights such "
     "as "
     "fd_read, file_open"},
    {TAGS "!file {path: htdocs, rights: }",
     "web.yaml:3:30: unknown right \"\"; accepted: all, read-only, or names of rights such as "
     "fd_read, "
     "file_open"},
    {TAGS "!file {path: htdocs, rights: [mem_mpa]}",
     "web.yaml:3:31: unknown right \"mem_mpa\"; accepted: all, read-only, mem_map, mem_map_exec"},
    {TAGS "!file {path: htdocs, rights: [sock_accept]}",
     "web.yaml:3:31: a directory cannot have the right sock_accept; accepted: all, read-only, "
     "sock_bind_directory, sock_connect_directory"},
    {TAGS "!file {path: htdocs, rights: [fd_read], inheriting: all}",
     "web.yaml:3:31: a directory itself cannot have the right fd_read; accepted: all, read-only, "
     "fd_stat_put_flags, fd_sync"},
    {TAGS "!file {path: htdocs, inheriting: [proc_exec, poll_wait]}",
     "web.yaml:3:46: a directory cannot have the right poll_wait; accepted: all, read-only, "
     "poll_fd_readwrite"},
    {TAGS "!file {path: htdocs, rights: {fd_read: true}}",
     "web.yaml:3:30: attribute rights of !file is not a string or a sequence; accepted: a string "
     "or a "
     "sequence"},
    {TAGS "!file {path: htdocs, rights: [[fd_read]]}",
     "web.yaml:3:31: a right that is not a name; accepted: all, read-only, or names of rights such "
     "as "
     "fd_read, file_open"},
    {TAGS "!file {path: htdocs, rights: [!!int 1]}",
     "web.yaml:3:31: a right that is not a name; accepted: all, read-only, or names of rights such "
     "as "
     "fd_read, file_open"},
    {TAGS "!file {path: [htdocs], rights: all}",
     "web.yaml:3:14: attribute path of !file is not a string; accepted: a string"},
    /* !socket. */
    {TAGS "!socket 0.0.0.0:80",
     "web.yaml:3:1: !socket with a scalar; accepted: a map with bind, "
     "connect, type, rights, inheriting"},
    {TAGS "!socket {type: stream}",
     "web.yaml:3:1: !socket without an address; accepted: bind or "
     "connect with a.b.c.d:port, [v6]:port"},
    {TAGS "!socket {bind: 0.0.0.0:80, connect: 10.0.0.1:80}",
     "web.yaml:3:1: !socket with both bind and connect; accepted: one of them"},
    {TAGS "!socket {bind: 0.0.0.0:80, backlog: 5}",
     "web.yaml:3:28: unknown attribute \"backlog\" of !socket; accepted: bind, connect, type, "
     "rights, inheriting"},
    {TAGS "!socket\n  bind: 0.0.0.0:80\n  type: seqpacket\n",
     "web.yaml:5:9: socket type \"seqpacket\"; accepted: stream, dgram"},
    {TAGS "!socket\n  bind: localhost:80\n",
     "web.yaml:4:9: address \"localhost:80\" is a name, and an image is built without a resolver; "
     "accepted: a.b.c.d:port, [v6]:port"},
    {TAGS "!socket {bind: 0.0.0.0}",
     "web.yaml:3:16: address \"0.0.0.0\" has no port; accepted: a.b.c.d:port, [v6]:port"},
    {TAGS "!socket {bind: 8080}",
     "web.yaml:3:16: address \"8080\" has no port; accepted: a.b.c.d:port, [v6]:port"},
    {TAGS "!socket {bind: ':80'}",
     "web.yaml:3:16: address \":80\" is not an IPv4 address; accepted: a.b.c.d:port, [v6]:port"},
    {TAGS "!socket {bind: 1.2.3:80}",
     "web.yaml:3:16: address \"1.2.3:80\" is not an IPv4 address; accepted: a.b.c.d:port, "
     "[v6]:port"},
    {TAGS "!socket {bind: 1.2.3.400:80}",
     "web.yaml:3:16: address \"1.2.3.400:80\" is not an IPv4 address; accepted: a.b.c.d:port, "
     "[v6]:port"},
    {TAGS "!socket {bind: 0.0.0.0:0}",
     "web.yaml:3:16: address \"0.0.0.0:0\" has a port out of range; accepted: 1 to 65535"},
    {TAGS "!socket {bind: 0.0.0.0:65536}",
     "web.yaml:3:16: address \"0.0.0.0:65536\" has a port out of range; accepted: 1 to 65535"},
    {TAGS "!socket {bind: 0.0.0.0:http}",
     "web.yaml:3:16: address \"0.0.0.0:http\" has no port number after its colon; accepted: "
     "a.b.c.d:port, [v6]:port"},
    {TAGS "!socket {bind: '::1:80'}",
     "web.yaml:3:16: address \"::1:80\" has several colons: an IPv6 address stands in brackets; "
     "accepted: a.b.c.d:port, [v6]:port"},
    {TAGS "!socket {bind: '[::1]'}",
     "web.yaml:3:16: address \"[::1]\" has no port behind its bracket; accepted: a.b.c.d:port, "
     "[v6]:port"},
    {TAGS "!socket {bind: '[::g]:80'}",
     "web.yaml:3:16: address \"[::g]:80\" is not an IPv6 address; accepted: a.b.c.d:port, "
     "[v6]:port"},
    {TAGS "!socket {bind: /run/x.sock}",
     "web.yaml:3:16: address \"/run/x.sock\" is a UNIX socket, which a virtual machine does not "
     "have; accepted: a.b.c.d:port, [v6]:port"},
    {TAGS "!socket {connect: 0.0.0.0:80}",
     "web.yaml:3:19: connect to 0.0.0.0:80, which is nobody's address; accepted: a.b.c.d:port, "
     "[v6]:port"},
    {TAGS "- !socket {bind: 0.0.0.0:80}\n- !socket {bind: 0.0.0.0:80}\n",
     "web.yaml:4:18: address 0.0.0.0:80 is bound on line 3 already; accepted: another address or "
     "port"},
};

static void bad_configurations(void **state) {
  (void)state;
  int wrong = 0;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    struct arena arena = {0};
    struct config config;
    bool parsed = parse(&config, &arena, bad[i].yaml, strlen(bad[i].yaml));
    if (parsed || strcmp(report.message, bad[i].message) != 0) {
      print_error("%s\nsays     %s\nnot      %s\n", bad[i].yaml,
                  parsed ? "nothing" : report.message, bad[i].message);
      wrong++;
    }
    arena_free(&arena);
  }
  assert_int_equal(wrong, 0);
  print_message("%zu bad configurations\n", sizeof(bad) / sizeof(bad[0]));
}

/* `depth` sequences in each other. */
static char *nested(unsigned depth) {
  char *text = malloc(2 * depth + 1);
  memset(text, '[', depth);
  memset(text + depth, ']', depth);
  text[2 * depth] = '\0';
  return text;
}

static void depth(void **state) {
  (void)state;
  static const unsigned too_deep[] = {YAML_DEPTH_MAX + 1, 100000};
  struct arena arena = {0};
  struct config config;
  char *text = nested(YAML_DEPTH_MAX);
  assert_true(parse(&config, &arena, text, strlen(text)));
  free(text);
  for (size_t i = 0; i < 2; i++) {
    text = nested(too_deep[i]);
    assert_false(parse(&config, &arena, text, strlen(text)));
    assert_string_equal(report.message, "web.yaml:1:101: nested too deeply; accepted: 100 levels");
    free(text);
  }
  arena_free(&arena);
}

static void long_text_is_cut(void **state) {
  (void)state;
  struct arena arena = {0};
  struct config config;
  char text[4000] = TAGS "!fd ";
  memset(text + strlen(text), 'x', sizeof(text) - 1 - strlen(text));
  assert_false(parse(&config, &arena, text, sizeof(text) - 1));
  assert_string_equal(
      report.message,
      "web.yaml:3:1: !fd "
      "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…\"; accepted: "
      "stdout, stderr");
  arena_free(&arena);
}

static void missing_configuration(void **state) {
  (void)state;
  struct arena arena = {0};
  struct config config;
  report = (struct report){.config = "nothing.yaml"};
  assert_false(config_load(&config, &arena, &report));
  assert_string_equal(report.message,
                      "nothing.yaml: No such file or directory; accepted: a YAML file");
  arena_free(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_configurations),
      cmocka_unit_test(depth),
      cmocka_unit_test(long_text_is_cut),
      cmocka_unit_test(missing_configuration),
  };
  return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
