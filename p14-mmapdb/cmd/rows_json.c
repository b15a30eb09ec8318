/* rows_json.c - a record as a JSON object (RFC 8259). JSON holds text alone:
 * other bytes go as base64, under another name, so that none can be taken for
 * the other. No JSON library for two strings: loading one takes a tenth of the
 * time that a get takes as a whole. */
#include <errno.h>
#include <string.h>

#include "p14-mmapdb/cmd/rows.h"

/* ---- UTF-8 ------------------------------------------------------------------ */

/* The bytes of the character that text begins with; 0: it is none (RFC 3629:
 * neither too long, nor a surrogate, nor beyond U+10FFFF). */
static size_t character(const unsigned char *text, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = text[0] < 0x80   ? 1
		   : text[0] < 0xc2 ? 0
		   : text[0] < 0xe0 ? 2
		   : text[0] < 0xf0 ? 3
		   : text[0] < 0xf5 ? 4
				    : 0;
	uint32_t code = n > 1 ? text[0] & (0x7fu >> n) : text[0];

	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (n && (code < least[n] || code > 0x10ffff ||
		  (code >= 0xd800 && code < 0xe000)))
		return 0;
	return n;
}

static bool is_utf8(const void *data, size_t len)
{
	const unsigned char *text = data;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = character(text + i, len - i);
		if (!n)
			return false;
	}
	return true;
}

static int add_character(struct bytes *to, uint32_t code)
{
	char text[4];
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	if (n == 1) {
		text[0] = (char)code;
		return bytes_add(to, text, 1);
	}
	for (size_t i = n - 1; i > 0; i--, code >>= 6)
		text[i] = (char)(0x80 | (code & 0x3f));
	text[0] = (char)((0xf00u >> n & 0xf0) | code);
	return bytes_add(to, text, n);
}

/* ---- reading ---------------------------------------------------------------- */

/* What is left of a line. */
struct cut {
	const char *at, *end;
};

static const char no_record[] = "wanted is {\"key\": \"...\", \"value\": "
				"\"...\"}";

static void skip_blanks(struct cut *cut)
{
	while (cut->at < cut->end &&
	       (*cut->at == ' ' || *cut->at == '\t' || *cut->at == '\r'))
		cut->at++;
}

static bool take(struct cut *cut, char wanted)
{
	skip_blanks(cut);
	if (cut->at == cut->end || *cut->at != wanted)
		return false;
	cut->at++;
	return true;
}

/* The four digits of \uNNNN. */
static bool take_code(struct cut *cut, uint32_t *code)
{
	*code = 0;
	if (cut->end - cut->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = *cut->at++;

		if (c >= '0' && c <= '9')
			*code = *code << 4 | (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			*code = *code << 4 | (uint32_t)((c | 32) - 'a' + 10);
		else
			return false;
	}
	return true;
}

/* Behind \u. Characters beyond U+FFFF are two of these, a surrogate pair. */
static int take_unicode(struct rows *rows, struct cut *cut, struct bytes *to)
{
	uint32_t code, low;

	if (!take_code(cut, &code))
		return rows_bad(rows, "\\u has four hexadecimal digits");
	if (code >= 0xd800 && code < 0xe000) {
		if (code >= 0xdc00 || cut->end - cut->at < 2 ||
		    memcmp(cut->at, "\\u", 2) != 0)
			return rows_bad(rows, "half a surrogate pair");
		cut->at += 2;
		if (!take_code(cut, &low) || low < 0xdc00 || low >= 0xe000)
			return rows_bad(rows, "half a surrogate pair");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	return add_character(to, code);
}

/* Behind a backslash. */
static int take_escape(struct rows *rows, struct cut *cut, struct bytes *to)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *name;
	char c;

	if (cut->at == cut->end)
		return rows_bad(rows, "a string is not closed");
	c = *cut->at++;
	if (c == 'u')
		return take_unicode(rows, cut, to);
	name = c ? strchr(names, c) : NULL;
	if (!name)
		return rows_bad(rows, "JSON has no such escape");
	return bytes_add_byte(to, values[name - names]);
}

/* How many characters there are that stand for themselves. */
static size_t plain_length(const struct cut *cut)
{
	const char *at = cut->at;

	while (at < cut->end && (unsigned char)*at >= ' ' &&
	       (unsigned char)*at < 128 && *at != '"' && *at != '\\')
		at++;
	return (size_t)(at - cut->at);
}

static int take_string(struct rows *rows, struct cut *cut, struct bytes *to)
{
	int error = 0;

	if (!take(cut, '"'))
		return rows_bad(rows, no_record);
	while (!error && cut->at < cut->end && *cut->at != '"') {
		size_t n;

		if (*cut->at == '\\') {
			cut->at++;
			error = take_escape(rows, cut, to);
			continue;
		}
		if ((unsigned char)*cut->at < 32)
			return rows_bad(rows, "a control character in a "
					      "string is to be escaped");
		n = plain_length(cut);
		if (!n)
			n = character((const unsigned char *)cut->at,
				      (size_t)(cut->end - cut->at));
		if (!n)
			return rows_bad(rows, "this is no UTF-8");
		error = bytes_add(to, cut->at, n);
		cut->at += n;
	}
	if (!error && !take(cut, '"'))
		return rows_bad(rows, "a string is not closed");
	return error;
}

static bool is_name(const struct bytes *word, const char *name)
{
	return word->len == strlen(name) &&
	       !memcmp(word->data, name, word->len);
}

/* A name and its string, into key or value; had notes which one there was. */
static int take_member(struct rows *rows, struct cut *cut, struct row *row,
		       bool had[2])
{
	struct bytes *word = &rows->word;
	bool is_coded, is_value;
	int error;

	word->len = 0;
	error = take_string(rows, cut, word);
	if (error)
		return error;
	is_coded = is_name(word, "key_base64") || is_name(word, "value_base64");
	is_value = is_name(word, "value") || is_name(word, "value_base64");
	if ((!is_coded && !is_value && !is_name(word, "key")) ||
	    had[is_value] || !take(cut, ':'))
		return rows_bad(rows, no_record);
	had[is_value] = true;
	if (!is_coded)
		return take_string(rows, cut,
				   is_value ? &row->value : &row->key);
	word->len = 0;
	error = take_string(rows, cut, word);
	if (!error)
		error = bytes_add_from_base64(is_value ? &row->value
						       : &row->key,
					      word->data, word->len);
	return error == -EINVAL ? rows_bad(rows, "this is no base64") : error;
}

int rows_next_json(struct rows *rows, struct row *row)
{
	bool had[2] = {false, false};
	struct cut cut;
	int got = rows_next_line(rows), error;

	if (got <= 0)
		return got;
	if (!rows->text.len)
		return rows_bad(rows, no_record);
	cut = (struct cut){rows->text.data, rows->text.data + rows->text.len};
	if (!take(&cut, '{'))
		return rows_bad(rows, no_record);
	error = take_member(rows, &cut, row, had);
	if (!error && !take(&cut, ','))
		return rows_bad(rows, no_record);
	if (!error)
		error = take_member(rows, &cut, row, had);
	if (error)
		return error;
	if (!take(&cut, '}'))
		return rows_bad(rows, no_record);
	skip_blanks(&cut);
	return cut.at == cut.end ? 1 : rows_bad(rows, no_record);
}

/* ---- writing ---------------------------------------------------------------- */

static void print_string(const char *text, size_t len, FILE *to)
{
	putc('"', to);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			fprintf(to, "\\%c", text[i]);
		else if (text[i] == '\n')
			fputs("\\n", to);
		else if ((unsigned char)text[i] < 32 || text[i] == 127)
			fprintf(to, "\\u%04x", text[i]);
		else
			putc_unlocked(text[i], to);
	}
	putc('"', to);
}

/* As text where it is text. */
static int print_member(const char *name, const void *data, size_t len,
			FILE *to)
{
	struct bytes coded = {0};
	int error;

	if (is_utf8(data, len)) {
		fprintf(to, "\"%s\": ", name);
		print_string(data, len, to);
		return 0;
	}
	error = bytes_add_base64(&coded, data, len);
	fprintf(to, "\"%s_base64\": ", name);
	print_string(coded.data, coded.len, to);
	bytes_free(&coded);
	return error;
}

int rows_print_json(const void *key, size_t key_len, const void *value,
		    size_t value_len, FILE *to)
{
	int error;

	putc('{', to);
	error = print_member("key", key, key_len, to);
	if (!error && value) {
		fputs(", ", to);
		error = print_member("value", value, value_len, to);
	}
	putc('}', to);
	return error;
}
