#include "p18-rpc-kv/etcd/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char letters[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_length(size_t bytes)
{
	return (bytes + 2) / 3 * 4;
}

void base64_encode(char *text, const void *bytes, size_t len)
{
	const unsigned char *from = bytes;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t word = (uint32_t)from[i] << 16;

		word |= n > 1 ? (uint32_t)from[i + 1] << 8 : 0;
		word |= n > 2 ? from[i + 2] : 0;
		*text++ = letters[word >> 18];
		*text++ = letters[word >> 12 & 63];
		*text++ = n > 1 ? letters[word >> 6 & 63] : '=';
		*text++ = n > 2 ? letters[word & 63] : '=';
	}
	*text = '\0';
}

static int value_of(char letter)
{
	const char *at = letter ? strchr(letters, letter) : NULL;

	return at ? (int)(at - letters) : -1;
}

/* Four characters, of which the last `padding` ones are '='. */
static int decode_four(const char *text, size_t padding, uint32_t *word)
{
	*word = 0;
	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? value_of(text[i]) : 0;

		if (value < 0)
			return -EBADMSG;
		*word = *word << 6 | (uint32_t)value;
	}
	return *word & ((UINT32_C(1) << 8 * padding) - 1) ? -EBADMSG : 0;
}

ssize_t base64_decode(void *bytes, size_t max, const char *text,
		      size_t text_len)
{
	unsigned char *to = bytes;
	size_t padding = 0, len;

	if (text_len % 4)
		return -EBADMSG;
	while (padding < 2 && padding < text_len &&
	       text[text_len - 1 - padding] == '=')
		padding++;
	len = text_len / 4 * 3 - padding;
	if (len > max)
		return -EBADMSG;
	for (size_t i = 0; i < text_len; i += 4) {
		size_t n = i + 4 < text_len ? 0 : padding;
		uint32_t word;

		if (decode_four(text + i, n, &word))
			return -EBADMSG;
		for (size_t k = 0; k < 3 - n; k++)
			*to++ = (unsigned char)(word >> (16 - 8 * k));
	}
	return (ssize_t)len;
}
