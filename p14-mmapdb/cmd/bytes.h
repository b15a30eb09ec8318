/* bytes.h - bytes that grow, and ways to write any bytes as text. */
#ifndef UNIXIPC_P14_MMAPDB_CMD_BYTES_H
#define UNIXIPC_P14_MMAPDB_CMD_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Zero is empty. The memory belongs to it, and stays when it is emptied. */
struct bytes {
	char *data;
	size_t len, room;
};

void bytes_free(struct bytes *bytes);

/* At the end; 0 or -ENOMEM. */
int bytes_add(struct bytes *bytes, const void *data, size_t len);

static inline int bytes_add_byte(struct bytes *bytes, char byte)
{
	if (bytes->len == bytes->room)
		return bytes_add(bytes, &byte, 1);
	bytes->data[bytes->len++] = byte;
	return 0;
}

/* A line as `list` prints it and `batch` reads it: \t, \n, \r and \\ for a tab,
 * a newline, a carriage return and a backslash, \xNN for any byte. Printing
 * escapes those and all other bytes below 32, and 127. */
void bytes_print_escaped(const void *data, size_t len, FILE *to);
/* Adds; 0, -ENOMEM, or -EINVAL: a backslash that begins none of these. */
int bytes_add_unescaped(struct bytes *bytes, const char *text, size_t len);

/* Base64 of RFC 4648, 4, with its padding. Both add; 0, -ENOMEM, or -EINVAL:
 * no such text. */
int bytes_add_base64(struct bytes *bytes, const void *data, size_t len);
int bytes_add_from_base64(struct bytes *bytes, const char *text, size_t len);

#endif
