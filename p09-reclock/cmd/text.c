#include "p09-reclock/cmd/text.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/types.h>

void text_print(FILE *to, const void *bytes, size_t len, bool with_blanks)
{
	const unsigned char *byte = bytes;

	for (; len > 0; byte++, len--) {
		if (*byte == '\\')
			fputs("\\\\", to);
		else if (*byte < ' ' || *byte == 0x7f ||
			 (with_blanks && *byte == ' '))
			fprintf(to, "\\x%02x", *byte);
		else
			putc(*byte, to);
	}
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

ssize_t text_parse(char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; n++) {
		if (text[i] != '\\') {
			text[n] = text[i++];
		} else if (len - i >= 2 && text[i + 1] == '\\') {
			text[n] = '\\';
			i += 2;
		} else if (len - i >= 4 && text[i + 1] == 'x' &&
			   hex_digit(text[i + 2]) >= 0 &&
			   hex_digit(text[i + 3]) >= 0) {
			text[n] = (char)(hex_digit(text[i + 2]) * 16 +
					 hex_digit(text[i + 3]));
			i += 4;
		} else {
			return -EINVAL;
		}
	}
	return (ssize_t)n;
}
