/*
 * The head of an answer.
 */
#ifndef HTTPD_ANSWER_H
#define HTTPD_ANSWER_H

#include "connection.h"
#include "files.h"
#include "request.h"

/*
 * Puts the answer to a request into the connection: the head and, where it has one, the
 * file for its body, which then belongs to the connection.
 */
void answer_begin(struct connection *connection, const struct request *request, int root);

#endif
