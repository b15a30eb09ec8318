/* text.h - bytes as text: of keys and values in lines, and names of requests. */
#ifndef UNIXIPC_P18_RPC_KV_CMD_TEXT_H
#define UNIXIPC_P18_RPC_KV_CMD_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include "p18-rpc-kv/kv.h"

/* \\ for a backslash, \t, \n and \r, and \xNN for other bytes below 32 and for
 * 127: a line stays a line, and columns are divided by a tab. */
void text_print_escaped(const void *data, size_t len, FILE *to);

/* Base64 of RFC 4648, 4, with its padding; a string to be freed, or NULL: no
 * memory. */
char *text_base64(const void *data, size_t len);

/* A request's name: the client's 16 bytes in hex, sequence and since, with dashes
 * between them. Parsing returns 0 or -EINVAL. */
enum { TEXT_TOKEN_SIZE = 2 * KV_CLIENT_BYTES + 2 * 21 + 1 };
void text_of_token(const kv_request_id *id, char text[TEXT_TOKEN_SIZE]);
int text_token(const char *text, kv_request_id *id);

#endif
