#include "p18-rpc-kv/cmd/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void text_print_escaped(const void *data, size_t len, FILE *to)
{
	static const char escaped[] = {'\\', '\t', '\n', '\r'};
	static const char letters[] = "\\tnr";
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++) {
		const char *found = memchr(escaped, bytes[i], sizeof(escaped));

		if (found)
			fprintf(to, "\\%c", letters[found - escaped]);
		else if (bytes[i] < 32 || bytes[i] == 127)
			fprintf(to, "\\x%02x", bytes[i]);
		else
			putc(bytes[i], to);
	}
}

char *text_base64(const void *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *bytes = data;
	char *text = malloc((len + 2) / 3 * 4 + 1), *to = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t three = (uint32_t)bytes[i] << 16;

		if (n > 1)
			three |= (uint32_t)bytes[i + 1] << 8;
		if (n > 2)
			three |= bytes[i + 2];
		for (size_t j = 0; j < 4; j++)
			*to++ = j <= n ? digits[three >> (18 - 6 * j) & 63]
				       : '=';
	}
	*to = '\0';
	return text;
}

void text_of_token(const kv_request_id *id, char text[TEXT_TOKEN_SIZE])
{
	for (size_t i = 0; i < KV_CLIENT_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", (unsigned char)id->client[i]);
	snprintf(text + 2 * KV_CLIENT_BYTES,
		 TEXT_TOKEN_SIZE - 2 * KV_CLIENT_BYTES, "-%" PRIu64 "-%" PRIu64,
		 (uint64_t)id->sequence, (uint64_t)id->since);
}

/* Digits up to what ends them. */
static int parse_number(const char **text, char end, uint64_t *number)
{
	char *rest;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	errno = 0;
	*number = strtoull(*text, &rest, 10);
	if (errno || *rest != end)
		return -EINVAL;
	*text = rest + 1;
	return 0;
}

int text_token(const char *text, kv_request_id *id)
{
	static const char hex[] = "0123456789abcdef";
	uint64_t sequence, since;

	for (size_t i = 0; i < 2 * KV_CLIENT_BYTES; i++, text++) {
		const char *digit = *text ? strchr(hex, *text) : NULL;

		if (!digit)
			return -EINVAL;
		if (i % 2 == 0)
			id->client[i / 2] = (char)((digit - hex) << 4);
		else
			id->client[i / 2] |= (char)(digit - hex);
	}
	if (*text++ != '-' || parse_number(&text, '-', &sequence) ||
	    parse_number(&text, '\0', &since) || sequence == 0)
		return -EINVAL;
	id->sequence = sequence;
	id->since = since;
	return 0;
}
