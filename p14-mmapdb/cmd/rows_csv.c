/* rows_csv.c - records as CSV (RFC 4180): a field with a comma, a quote or the
 * end of a line in it is quoted, and a quote in it doubled. Lines end in LF or
 * CRLF. Any byte may stand in a quoted field. */
#include <errno.h>
#include <string.h>

#include "p14-mmapdb/cmd/rows.h"

/* ---- reading ---------------------------------------------------------------- */

static int next_byte(struct rows *rows)
{
	int c = getc_unlocked(rows->from);

	if (c == '\n')
		rows->lines++;
	return c;
}

static int add(struct rows *rows, struct bytes *field, int c)
{
	if (field->len > ROWS_VALUE_MAX)
		return rows_bad(rows, "the value is longer than 16 MB");
	return bytes_add_byte(field, (char)c);
}

/* Behind the quote that opens a field, until behind that which closes it; what
 * follows comes in *c. */
static int read_quoted(struct rows *rows, struct bytes *field, int *c)
{
	int error;

	for (;;) {
		*c = next_byte(rows);
		if (*c == EOF)
			return rows_bad(rows, "a quote is not closed");
		if (*c == '"') {
			*c = next_byte(rows);
			if (*c != '"')
				return 0;
		}
		error = add(rows, field, *c);
		if (error)
			return error;
	}
}

static int read_plain(struct rows *rows, struct bytes *field, int *c)
{
	int error = 0;

	while (!error && *c != EOF && *c != ',' && *c != '\n' && *c != '\r') {
		if (*c == '"')
			return rows_bad(rows, "a quote within a field that "
					      "does not begin with one");
		error = add(rows, field, *c);
		*c = next_byte(rows);
	}
	return error;
}

/* What ended it comes in *end: a comma, a newline or EOF. */
static int read_field(struct rows *rows, struct bytes *field, int *end)
{
	int c = next_byte(rows), error;

	if (c == '"')
		error = read_quoted(rows, field, &c);
	else
		error = read_plain(rows, field, &c);
	if (error)
		return error;
	if (c == '\r') {
		c = next_byte(rows);
		if (c != '\n')
			return rows_bad(rows, "a carriage return that does not "
					      "end the line");
	}
	if (c != ',' && c != '\n' && c != EOF)
		return rows_bad(rows, "text behind a closing quote");
	*end = c;
	return 0;
}

/* 1, 0 at the end, or -errno. */
static int read_line(struct rows *rows, struct row *row)
{
	int end, error;

	rows->line = rows->lines + 1;
	error = read_field(rows, &row->key, &end);
	if (!error && end == EOF && !row->key.len)
		return ferror(rows->from) ? (errno ? -errno : -EIO) : 0;
	if (!error && end != ',')
		return rows_bad(rows, "a line has two fields, key and value");
	if (!error)
		error = read_field(rows, &row->value, &end);
	if (!error && end == ',')
		return rows_bad(rows, "a line has two fields, key and value");
	if (!error && end == EOF && ferror(rows->from))
		return errno ? -errno : -EIO;
	return error ? error : 1;
}

static bool is_header(const struct row *row)
{
	return row->key.len == 3 && !memcmp(row->key.data, "key", 3) &&
	       row->value.len == 5 && !memcmp(row->value.data, "value", 5);
}

int rows_next_csv(struct rows *rows, struct row *row)
{
	bool is_first = rows->lines == 0;
	int got = read_line(rows, row);

	if (!is_first || got <= 0)
		return got;
	if (!is_header(row))
		return rows_bad(rows, "the first line is not key,value");
	row->key.len = 0;
	row->value.len = 0;
	return read_line(rows, row);
}

/* ---- writing ---------------------------------------------------------------- */

static void print_field(const char *data, size_t len, FILE *to)
{
	bool is_plain = true;

	for (size_t i = 0; is_plain && i < len; i++)
		is_plain = data[i] && !strchr(",\"\r\n", data[i]);
	if (is_plain) {
		fwrite(data, 1, len, to);
		return;
	}
	putc('"', to);
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '"')
			putc('"', to);
		putc(data[i], to);
	}
	putc('"', to);
}

void rows_print_csv(const void *key, size_t key_len, const void *value,
		    size_t value_len, FILE *to)
{
	print_field(key, key_len, to);
	putc(',', to);
	print_field(value, value_len, to);
	putc('\n', to);
}
