/*
 * mkimage: makes one bootable file of a kernel, a CloudABI program and a YAML configuration. This
 * file is its command line. Exit status 0, or 1 with a message.
 */
#include <getopt.h>
#include <stdlib.h>

#include "images/builder.h"
#include "images/kernel_elf.h"

static const char usage[] =
    "mkimage --kernel KERNEL --program APP --config FILE.yaml [--symbols FILE] [--strip] -o OUT\n"
    "    writes the kernel with the program, its argdata and its files inside;\n"
    "    OUT.image: as raw memory, for aarch64's loaders, else as an ELF file\n"
    "mkimage --payload-only --program APP --config FILE.yaml [--symbols FILE] -o OUT.cpio\n"
    "    writes what would go inside, as a cpio archive\n"
    "mkimage --dump --config FILE.yaml [--program APP]\n"
    "    prints the argdata and the grants, and checks the program\n"
    "mkimage --list-ports --config FILE.yaml\n"
    "    prints the ports that the program listens on: tcp|udp PORT ADDRESS\n"
    "--machine x86_64|aarch64 is what the program must be for when there is no --kernel\n";

static _Noreturn void wrong_usage(const char *what) {
  fprintf(stderr, "mkimage: %s; accepted:\n%s", what, usage);
  exit(1);
}

static void check_request(const struct build_request *request) {
  if (request->config == NULL) {
    wrong_usage("no --config");
  }
  if (request->machine != NULL && machine_number(request->machine) == 0) {
    wrong_usage("an unknown --machine");
  }
  if (request->output == NULL) {
    if (!request->dump && !request->list_ports) {
      wrong_usage("no -o");
    }
    return;
  }
  if (request->program == NULL) {
    wrong_usage("no --program");
  }
  if (request->kernel == NULL && !request->payload_only) {
    wrong_usage("no --kernel");
  }
}

static void read_arguments(int argc, char **argv, struct build_request *request) {
  static const struct option options[] = {
      {"config", required_argument, NULL, 'c'}, {"program", required_argument, NULL, 'p'},
      {"kernel", required_argument, NULL, 'k'}, {"symbols", required_argument, NULL, 's'},
      {"output", required_argument, NULL, 'o'}, {"machine", required_argument, NULL, 'm'},
      {"dump", no_argument, NULL, 'd'},         {"list-ports", no_argument, NULL, 'l'},
      {"payload-only", no_argument, NULL, 'P'}, {"strip", no_argument, NULL, 'S'},
      {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
  };
  int option;
  while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
    switch (option) {
      case 'c':
        request->config = optarg;
        break;
      case 'p':
        request->program = optarg;
        break;
      case 'k':
        request->kernel = optarg;
        break;
      case 's':
        request->symbols = optarg;
        break;
      case 'o':
        request->output = optarg;
        break;
      case 'm':
        request->machine = optarg;
        break;
      case 'd':
        request->dump = true;
        break;
      case 'l':
        request->list_ports = true;
        break;
      case 'P':
        request->payload_only = true;
        break;
      case 'S':
        request->strip = true;
        break;
      case 'h':
        fputs(usage, stdout);
        exit(0);
      default:
        wrong_usage("an argument that is not known");
    }
  }
  if (optind < argc) {
    wrong_usage("an argument that is not an option");
  }
}

int main(int argc, char **argv) {
  static struct report report;
  struct build_request request = {0};
  read_arguments(argc, argv, &request);
  check_request(&request);
  if (!build(&request, stdout, &report)) {
    fprintf(stderr, "%s\n", report.message);
    return 1;
  }
  if (fflush(stdout) != 0 || ferror(stdout)) {
    fputs("mkimage: cannot write to standard output\n", stderr);
    return 1;
  }
  return 0;
}
