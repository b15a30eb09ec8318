#include "tests/crash/crash.h"

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"

void crash_say(const char *format, ...)
{
	char line[256];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line) - 1, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line) - 1)
		errx(3, "a line is too long");
	line[n] = '\n';
	if (fdio_write_full(STDOUT_FILENO, line, (size_t)n + 1) != 0)
		errx(3, "cannot say anything");
}

const char *crash_why(const char *format, ...)
{
	static char why[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	return why;
}

bool crash_scan(const char *line, const char *word, uint64_t *numbers, size_t n)
{
	const size_t len = strlen(word);
	char *end;

	if (strncmp(line, word, len) != 0)
		return false;
	for (line += len; n; n--, numbers++, line = end) {
		if (*line != ' ')
			return false;
		*numbers = strtoull(line, &end, 10);
		if (end == line + 1)
			return false;
	}
	return *line == '\0';
}

unsigned int crash_number(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (end == text || *end || number > 1000000)
		errx(2, "'%s' is no number up to a million", text);
	return (unsigned int)number;
}

static int check(const struct crash_program *program, int argc, char **argv)
{
	char *line = NULL;
	size_t room = 0;
	const char *why;

	if (program->begin)
		program->begin(argc, argv);
	while (getline(&line, &room, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "said ", 5) == 0) {
			program->hear(line + 5);
			continue;
		}
		if (strncmp(line, "check ", 6) != 0)
			errx(3, "what is '%s'?", line);
		why = program->check(line + 6);
		printf(why ? "bad %s\n" : "ok\n", why);
		if (fflush(stdout) != 0)
			return 3;
	}
	free(line);
	return 0;
}

int crash_main(const struct crash_program *program, int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "drive") == 0)
		return program->drive(argv[2], argc - 3, argv + 3);
	if (argc >= 2 && strcmp(argv[1], "check") == 0)
		return check(program, argc - 2, argv + 2);
	fprintf(stderr, "usage: %s drive DIR | check\n", argv[0]);
	return 2;
}
