/* rows.h - records as text, read and written: JSON lines, CSV, batches.
 *
 *	JSON lines  {"key": "user:1", "value": "Alice"}   one a line; a key or
 *	            value that is no UTF-8 is "key_base64" or "value_base64"
 *	CSV         RFC 4180, with the header key,value; any bytes
 *	batch       put KEY VALUE, or del KEY, one a line; what a line cannot
 *	            hold (a blank in a key) is escaped as in bytes.h; the value
 *	            is the rest of the line
 */
#ifndef UNIXIPC_P14_MMAPDB_CMD_ROWS_H
#define UNIXIPC_P14_MMAPDB_CMD_ROWS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "p14-mmapdb/cmd/bytes.h"

enum rows_format { ROWS_JSON, ROWS_CSV, ROWS_BATCH };

struct row {
	bool is_deletion; /* of a batch */
	struct bytes key, value;
};

/* Zero it, set format and from. */
struct rows {
	enum rows_format format;
	FILE *from;
	uint64_t line;           /* where the last row began, from 1 */
	uint64_t lines;          /* read so far */
	const char *why;         /* of -EBADMSG: what is wrong with that line */
	struct bytes text, word; /* private: the line, and a part of it */
	char said[160];          /* private: what why may be */
};

/* The next row, into row, whose memory is used again. Returns 1, 0 at the end,
 * -EBADMSG with what is wrong at rows->line, or -errno of reading. */
int rows_next(struct rows *rows, struct row *row);

void rows_free(struct rows *rows, struct row *row);

/* The header that a format begins with, and a record. A failure of the stream
 * is the stream's to tell; returns 0 or -ENOMEM. */
void rows_print_header(enum rows_format format, FILE *to);
int rows_print(enum rows_format format, const void *key, size_t key_len,
	       const void *value, size_t value_len, FILE *to);

/* Of a record as JSON, without the newline; value NULL: the key alone. */
int rows_print_json(const void *key, size_t key_len, const void *value,
		    size_t value_len, FILE *to);

/* ---- for the formats: rows_json.c and rows_csv.c ---------------------------- */

enum {
	/* More than a line can have that fits: each byte of the longest value
	 * as six characters, and the rest. */
	ROWS_LINE_MAX = 112 << 20,
	ROWS_KEY_MAX = 1024,
	ROWS_VALUE_MAX = 16 << 20,
};

int rows_bad(struct rows *rows, const char *why); /* -EBADMSG */
/* The next line into rows->text, without its end: 1, 0 or -errno. */
int rows_next_line(struct rows *rows);
int rows_next_json(struct rows *rows, struct row *row);
int rows_next_csv(struct rows *rows, struct row *row);
void rows_print_csv(const void *key, size_t key_len, const void *value,
		    size_t value_len, FILE *to);

#endif
