/* die.c - the line is made in one buffer and leaves by one write(2).
 *
 * What the caller formats may hold a user's text, so control characters
 * become '?': a name with a newline in it cannot forge a second line, nor an
 * escape sequence steer the terminal.
 */
#include "lib/cmd/die.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/out.h"

enum { LINE_MAX_BYTES = 2048 };

static void say(int error, const char *format, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void say(int error, const char *format, va_list ap)
{
	/* Leaves room for the name of the program and the words. */
	char message[LINE_MAX_BYTES - 512], line[LINE_MAX_BYTES], words[128];
	size_t len;

	if (vsnprintf(message, sizeof(message), format, ap) < 0)
		message[0] = '\0';
	snprintf(line, sizeof(line), "%s: %s%s%s",
		 program_invocation_short_name, message, error ? ": " : "",
		 error ? strerror_r(abs(error), words, sizeof(words)) : "");
	len = strlen(line);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n'; /* in place of the NUL */
	out_put_error(line, len);
}

static bool is_dying;

static _Noreturn void end(int status)
{
	is_dying = true;
	exit(status);
}

bool die_is_dying(void)
{
	return is_dying;
}

void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(0, format, ap);
	va_end(ap);
	end(DIE_FAILURE);
}

void die_errno(int error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(error, format, ap);
	va_end(ap);
	end(DIE_FAILURE);
}

void die_usage(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(0, format, ap);
	va_end(ap);
	end(DIE_USAGE);
}

void die_status(int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(0, format, ap);
	va_end(ap);
	end(status);
}

void die_warn(const char *format, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, format);
	say(0, format, ap);
	va_end(ap);
	errno = saved;
}

void die_warn_errno(int error, const char *format, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, format);
	say(error, format, ap);
	va_end(ap);
	errno = saved;
}
