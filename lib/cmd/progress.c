#include "lib/cmd/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/tick.h"

#define SHOW_AFTER TICK_S
#define SHOW_EVERY (100 * TICK_MS)
#define BAR_CELLS 20

/* To the left edge, and erase what is there. */
#define CLEAR_LINE "\r\033[K"

void progress_start(struct progress *p, uint64_t total)
{
	const char *term = getenv("TERM");

	*p = (struct progress){
		.start = tick_now(),
		.total = total,
		.is_enabled = isatty(STDERR_FILENO) && term &&
			      strcmp(term, "dumb") != 0,
	};
	p->last = p->start;
}

/* A line that wraps can no longer be erased. */
static size_t terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

/* Cut UTF-8 text after so many characters. */
static void cut(char *text, size_t characters)
{
	for (; *text; text++)
		if (((unsigned char)*text & 0xc0) != 0x80 && characters-- == 0)
			break;
	*text = '\0';
}

/* One write(2), so that the line does not mix with those of children. What
 * the terminal does not take is lost, and nothing else. */
static void show(const char *text)
{
	char line[512];
	int len = snprintf(line, sizeof(line), CLEAR_LINE "%s", text);
	ssize_t ignored = write(STDERR_FILENO, line, (size_t)len);

	(void)ignored;
}

static void format_line(char *line, size_t size, const struct progress *p,
			uint64_t done, const char *what)
{
	char bar[BAR_CELLS + 1];
	double part;

	if (p->total == 0) {
		snprintf(line, size, "%s", what);
		return;
	}
	part = done < p->total ? (double)done / (double)p->total : 1;
	for (int i = 0; i < BAR_CELLS; i++)
		bar[i] = i < (int)(part * BAR_CELLS) ? '#' : '.';
	bar[BAR_CELLS] = '\0';
	snprintf(line, size, "[%s] %3d %%  %s", bar, (int)(part * 100), what);
}

void progress_update(struct progress *p, uint64_t done, const char *what)
{
	char line[400];
	int64_t now;

	if (!p->is_enabled)
		return;
	now = tick_now();
	if (now - p->start < SHOW_AFTER || now - p->last < SHOW_EVERY)
		return;
	format_line(line, sizeof(line), p, done, what);
	cut(line, terminal_width() - 1);
	show(line);
	p->last = now;
	p->is_shown = true;
}

void progress_clear(struct progress *p)
{
	if (p->is_shown)
		show("");
	p->is_shown = false;
}

void progress_end(struct progress *p)
{
	progress_clear(p);
	p->is_enabled = false;
}
