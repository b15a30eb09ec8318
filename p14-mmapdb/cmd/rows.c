/* rows.c - what the formats have in common, and the lines of a batch. */
#include "p14-mmapdb/cmd/rows.h"

#include <errno.h>
#include <string.h>

int rows_bad(struct rows *rows, const char *why)
{
	rows->why = why;
	return -EBADMSG;
}

/* Not getline(3), which has no limit. */
int rows_next_line(struct rows *rows)
{
	struct bytes *text = &rows->text;
	int c;

	text->len = 0;
	rows->line = ++rows->lines;
	while ((c = getc_unlocked(rows->from)) != EOF && c != '\n') {
		if (text->len == ROWS_LINE_MAX)
			return rows_bad(rows, "longer than any record");
		if (bytes_add_byte(text, (char)c))
			return -ENOMEM;
	}
	if (c == EOF && ferror(rows->from))
		return errno ? -errno : -EIO;
	return c != EOF || text->len;
}

/* ---- batches ---------------------------------------------------------------- */

/* Where the word at text ends. */
static size_t word_length(const char *text, size_t len)
{
	const char *blank = len ? memchr(text, ' ', len) : NULL;

	return blank ? (size_t)(blank - text) : len;
}

static int take(struct rows *rows, struct bytes *to, const char *text,
		size_t len)
{
	int error = bytes_add_unescaped(to, text, len);

	return error == -EINVAL ? rows_bad(rows, "a backslash begins \\t, \\n, "
						 "\\r, \\\\ or \\xNN")
				: error;
}

static int parse_command(struct rows *rows, struct row *row)
{
	const char *text = rows->text.data;
	size_t len = rows->text.len, word = word_length(text, len), key;
	int error;

	row->is_deletion = word == 3 && !memcmp(text, "del", 3);
	if (!row->is_deletion && (word != 3 || memcmp(text, "put", 3) != 0))
		return rows_bad(rows, "wanted is 'put KEY VALUE' or 'del KEY'");
	if (len < 5)
		return rows_bad(rows, "the key is missing");
	text += 4;
	len -= 4;
	key = word_length(text, len);
	if (row->is_deletion && key < len)
		return rows_bad(rows, "del takes a key and nothing else");
	if (!row->is_deletion && key == len)
		return rows_bad(rows, "the value is missing");
	error = take(rows, &row->key, text, key);
	if (!error && !row->is_deletion)
		error = take(rows, &row->value, text + key + 1, len - key - 1);
	return error;
}

static int next_of_batch(struct rows *rows, struct row *row)
{
	int got = rows_next_line(rows);

	if (got <= 0)
		return got;
	got = rows->text.len ? parse_command(rows, row)
			     : rows_bad(rows, "an empty line");
	return got ? got : 1;
}

/* ---- all -------------------------------------------------------------------- */

static int check_row(struct rows *rows, const struct row *row)
{
	if (!row->key.len)
		return rows_bad(rows, "the key is empty");
	if (row->key.len > ROWS_KEY_MAX)
		return rows_bad(rows, "the key is longer than 1024 bytes");
	if (row->value.len > ROWS_VALUE_MAX)
		return rows_bad(rows, "the value is longer than 16 MB");
	return 1;
}

int rows_next(struct rows *rows, struct row *row)
{
	int got;

	row->is_deletion = false;
	row->key.len = 0;
	row->value.len = 0;
	errno = 0;
	switch (rows->format) {
	case ROWS_JSON:
		got = rows_next_json(rows, row);
		break;
	case ROWS_CSV:
		got = rows_next_csv(rows, row);
		break;
	default:
		got = next_of_batch(rows, row);
	}
	return got == 1 ? check_row(rows, row) : got;
}

void rows_free(struct rows *rows, struct row *row)
{
	bytes_free(&rows->text);
	bytes_free(&rows->word);
	bytes_free(&row->key);
	bytes_free(&row->value);
}

void rows_print_header(enum rows_format format, FILE *to)
{
	if (format == ROWS_CSV)
		fputs("key,value\n", to);
}

int rows_print(enum rows_format format, const void *key, size_t key_len,
	       const void *value, size_t value_len, FILE *to)
{
	int error = 0;

	if (format == ROWS_CSV) {
		rows_print_csv(key, key_len, value, value_len, to);
	} else {
		error = rows_print_json(key, key_len, value, value_len, to);
		putc('\n', to);
	}
	return error;
}
