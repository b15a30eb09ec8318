#include "suite/html/html.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* How many bytes the character at p has, or 0 when they are no character that
 * may stand in a page: not UTF-8 (RFC 3629: cut short, too long a form,
 * surrogates, beyond U+10FFFF), a control character, or no character at all
 * (U+FFFE, U+FFFF). */
static size_t character_length(const unsigned char *p)
{
	unsigned long c;
	size_t len;

	if (*p < 0x80)
		return (*p >= ' ' && *p != 0x7f) || *p == '\n' || *p == '\t';
	len = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
	if (*p < 0xc2 || *p > 0xf4)
		return 0;
	c = *p & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < (len == 2   ? 0xa0UL
		 : len == 3 ? 0x800UL
			    : 0x10000UL) ||
	    (c >= 0xd800 && c <= 0xdfff) || (c & 0xfffe) == 0xfffe ||
	    c > 0x10ffff)
		return 0;
	return len;
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void html_text(FILE *to, const char *text)
{
	while (*text) {
		size_t len = character_length((const unsigned char *)text);
		const char *name = entity(*text);

		if (name)
			fputs(name, to);
		else if (len == 0)
			fputs(REPLACEMENT, to);
		else
			fwrite(text, 1, len, to);
		text += len > 0 ? len : 1;
	}
}

void html_printf(FILE *to, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	va_end(args);
	html_text(to, text);
}
