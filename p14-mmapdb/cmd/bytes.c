#include "p14-mmapdb/cmd/bytes.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}

static int make_room(struct bytes *bytes, size_t len)
{
	size_t room = bytes->room ? bytes->room : 128;
	char *data;

	if (len <= bytes->room - bytes->len)
		return 0;
	while (room - bytes->len < len) {
		if (room > SIZE_MAX / 2)
			return -ENOMEM;
		room *= 2;
	}
	data = realloc(bytes->data, room);
	if (!data)
		return -ENOMEM;
	bytes->data = data;
	bytes->room = room;
	return 0;
}

int bytes_add(struct bytes *bytes, const void *data, size_t len)
{
	int error = make_room(bytes, len);

	if (error || !len)
		return error;
	memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
	return 0;
}

/* ---- escapes -------------------------------------------------------------- */

void bytes_print_escaped(const void *data, size_t len, FILE *to)
{
	const unsigned char *byte = data;

	for (size_t i = 0; i < len; i++) {
		switch (byte[i]) {
		case '\t':
			fputs("\\t", to);
			break;
		case '\n':
			fputs("\\n", to);
			break;
		case '\r':
			fputs("\\r", to);
			break;
		case '\\':
			fputs("\\\\", to);
			break;
		default:
			if (byte[i] < 32 || byte[i] == 127)
				fprintf(to, "\\x%02x", byte[i]);
			else
				putc_unlocked(byte[i], to);
		}
	}
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at;

	c = c >= 'A' && c <= 'F' ? (char)(c + 'a' - 'A') : c;
	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* The byte that text begins with, behind a backslash; how many characters stand
 * for it, or 0. */
static size_t unescape(const char *text, size_t len, char *byte)
{
	static const char names[] = "tnr\\", values[] = "\t\n\r\\";
	const char *at;

	if (len >= 3 && text[0] == 'x') {
		int high = hex_digit(text[1]), low = hex_digit(text[2]);

		*byte = (char)(high * 16 + low);
		return high < 0 || low < 0 ? 0 : 3;
	}
	at = len && text[0] ? strchr(names, text[0]) : NULL;
	if (!at)
		return 0;
	*byte = values[at - names];
	return 1;
}

int bytes_add_unescaped(struct bytes *bytes, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char byte = text[i];
		int error;

		if (byte == '\\') {
			size_t used =
				unescape(text + i + 1, len - i - 1, &byte);

			if (!used)
				return -EINVAL;
			i += used;
		}
		error = bytes_add_byte(bytes, byte);
		if (error)
			return error;
	}
	return 0;
}

/* ---- base64 --------------------------------------------------------------- */

static const char base64[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int bytes_add_base64(struct bytes *bytes, const void *data, size_t len)
{
	const unsigned char *from = data;
	int error = 0;

	for (size_t i = 0; !error && i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t bits = (uint32_t)from[i] << 16;
		char four[4] = {'=', '=', '=', '='};

		if (n > 1)
			bits |= (uint32_t)from[i + 1] << 8;
		if (n > 2)
			bits |= from[i + 2];
		for (size_t k = 0; k <= n; k++)
			four[k] = base64[bits >> (18 - 6 * k) & 63];
		error = bytes_add(bytes, four, 4);
	}
	return error;
}

/* Three bytes at most of four characters; how many, or 0. */
static size_t decode_four(const char *text, bool is_last, char three[3])
{
	size_t n = 3;
	uint32_t bits = 0;

	if (is_last && text[3] == '=')
		n = text[2] == '=' ? 1 : 2;
	for (size_t k = 0; k < 4; k++) {
		const char *at = text[k] ? strchr(base64, text[k]) : NULL;

		if (k > n)
			at = base64;
		if (!at)
			return 0;
		bits = bits << 6 | (uint32_t)(at - base64);
	}
	for (size_t k = 0; k < 3; k++)
		three[k] = (char)(bits >> (16 - 8 * k) & 255);
	/* What the padding leaves over must be nothing. */
	return n < 3 && bits << (8 * (n + 1)) ? 0 : n;
}

int bytes_add_from_base64(struct bytes *bytes, const char *text, size_t len)
{
	if (len % 4)
		return -EINVAL;
	for (size_t i = 0; i < len; i += 4) {
		char three[3];
		size_t n = decode_four(text + i, i + 4 == len, three);
		int error = n ? bytes_add(bytes, three, n) : -EINVAL;

		if (error)
			return error;
	}
	return 0;
}
