/*
 * Answers every connection with the same few bytes: the smallest server. The socket that
 * it listens on is all that it is given.
 */
#include <sys/socket.h>

#include <argdata.h>
#include <program.h>
#include <stdlib.h>
#include <unistd.h>

void program_main(const argdata_t *ad) {
  const char answer[] =
      "HTTP/1.1 200 OK\r\n"
      "Content-Type: text/plain\r\n"
      "Content-Length: 13\r\n\r\n"
      "Hello, world\n";
  int sockfd;
  if (argdata_get_fd(ad, &sockfd) == 0) {
    int connfd;
    while ((connfd = accept(sockfd, NULL, NULL)) >= 0) {
      write(connfd, answer, sizeof(answer) - 1);
      close(connfd);
    }
  }
  exit(1);
}
