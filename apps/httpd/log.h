/*
 * The log: lines of text to the descriptor that was granted for it, or nowhere.
 */
#ifndef HTTPD_LOG_H
#define HTTPD_LOG_H

/* The descriptor may be −1. To be called before there are threads. */
void log_open(int fd);

/* Writes one line in one piece, so that threads do not mix theirs; bytes that are no text
 * become question marks, and what is longer than a few hundred bytes is cut. */
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);

#endif
