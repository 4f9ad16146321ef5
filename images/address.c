/* The address parser of address.h. */
#include "images/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define ACCEPTED "; accepted: " ADDRESS_FORMS

static const char *parse_port(const char *text, unsigned *port) {
  size_t length = strspn(text, "0123456789");
  *port = 0;
  for (size_t i = 0; i < length && *port <= 65535; i++) {
    *port = *port * 10 + (unsigned)(text[i] - '0');
  }
  if (length == 0 || text[length] != '\0') {
    return "has no port number after its colon" ACCEPTED;
  }
  if (*port < 1 || *port > 65535) {
    return "has a port out of range; accepted: 1 to 65535";
  }
  return NULL;
}

static const char *parse_v6(const char *text, struct address *address) {
  char host[INET6_ADDRSTRLEN] = "";
  const char *close = strchr(text, ']');
  struct in6_addr binary;
  if (close == NULL || close[1] != ':') {
    return "has no port behind its bracket" ACCEPTED;
  }
  size_t length = (size_t)(close - (text + 1));
  if (length >= sizeof(host)) {
    return "is not an IPv6 address" ACCEPTED;
  }
  memcpy(host, text + 1, length);
  if (inet_pton(AF_INET6, host, &binary) != 1) {
    return "is not an IPv6 address" ACCEPTED;
  }
  inet_ntop(AF_INET6, &binary, host, sizeof(host));
  address->any = IN6_IS_ADDR_UNSPECIFIED(&binary);
  const char *error = parse_port(close + 2, &address->port);
  snprintf(address->text, sizeof(address->text), "[%s]:%u", host, address->port);
  return error;
}

static const char *parse_v4(const char *text, struct address *address) {
  char host[INET_ADDRSTRLEN] = "";
  const char *colon = strchr(text, ':');
  struct in_addr binary;
  if (colon == NULL) {
    return "has no port" ACCEPTED;
  }
  if (strchr(colon + 1, ':') != NULL) {
    return "has several colons: an IPv6 address stands in brackets" ACCEPTED;
  }
  size_t length = (size_t)(colon - text);
  if (length > 0 && length < sizeof(host)) {
    memcpy(host, text, length);
  }
  if (inet_pton(AF_INET, host, &binary) != 1) {
    if (length == 0 || strspn(text, "0123456789.") >= length) {
      return "is not an IPv4 address" ACCEPTED;
    }
    return "is a name, and an image is built without a resolver" ACCEPTED;
  }
  inet_ntop(AF_INET, &binary, host, sizeof(host));
  address->any = binary.s_addr == INADDR_ANY;
  const char *error = parse_port(colon + 1, &address->port);
  snprintf(address->text, sizeof(address->text), "%s:%u", host, address->port);
  return error;
}

const char *address_parse(const char *text, size_t length, struct address *address) {
  *address = (struct address){0};
  if (strlen(text) != length) {
    return "contains a NUL" ACCEPTED;
  }
  if (text[0] == '/') {
    return "is a UNIX socket, which a virtual machine does not have" ACCEPTED;
  }
  return text[0] == '[' ? parse_v6(text, address) : parse_v4(text, address);
}
