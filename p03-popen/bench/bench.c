/* bench.c - mypopen() beside the C library's popen(), from a small process and
 * from one that has a gigabyte of memory in use. Rounds alternate between the
 * two, and the figure is the median of the ratios round by round. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p03-popen/mypopen.h"

enum { ROUNDS = 15, CALLS = 60 };

typedef FILE *opener(const char *command, const char *mode);
typedef int closer(FILE *stream);

/* Nanoseconds a call: open, read the line, verify it, close. */
static double time_calls(opener *open_stream, closer *close_stream)
{
	int64_t start = tick_now();

	for (int i = 0; i < CALLS; i++) {
		FILE *stream = open_stream("echo hi", "r");
		char line[8] = "";

		if (!stream)
			die_errno(errno, "cannot run 'echo hi'");
		if (!fgets(line, sizeof(line), stream) ||
		    strcmp(line, "hi\n") != 0 || close_stream(stream) != 0)
			die("'echo hi' did not say hi");
	}
	return (double)(tick_now() - start) / CALLS;
}

static void compare(struct out_table *table, const char *parent)
{
	double ours[ROUNDS], libc[ROUNDS], ratio[ROUNDS];

	time_calls(mypopen, mypclose);
	time_calls(popen, pclose);
	for (int i = 0; i < ROUNDS; i++) {
		/* Who goes first alternates too. */
		if (i % 2)
			ours[i] = time_calls(mypopen, mypclose);
		libc[i] = time_calls(popen, pclose);
		if (i % 2 == 0)
			ours[i] = time_calls(mypopen, mypclose);
		ratio[i] = ours[i] / libc[i];
	}
	out_table_row(table);
	out_table_cell(table, "%s", parent);
	out_table_cell(table, "%.0f us", stats_median(ours, ROUNDS) / 1e3);
	out_table_cell(table, "%.0f us", stats_median(libc, ROUNDS) / 1e3);
	out_table_cell(table, "%.2f", stats_median(ratio, ROUNDS));
	out_table_cell(table, "1.00");
}

int main(void)
{
	static const struct out_column columns[] = {
		{"Parent", OUT_LEFT},         {"mypopen", OUT_RIGHT},
		{"popen", OUT_RIGHT},         {"mypopen / popen", OUT_RIGHT},
		{"goal, at most", OUT_RIGHT},
	};
	const size_t gigabyte = (size_t)1 << 30;
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	char *memory;

	out_check_at_exit();
	if (!table)
		die("out of memory");
	printf("Open, read one line, close: %d rounds of %d calls each, medians"
	       "\n",
	       ROUNDS, CALLS);
	compare(table, "small");
	memory = malloc(gigabyte);
	if (!memory)
		die("no gigabyte of memory for the large parent");
	memset(memory, 1, gigabyte);
	compare(table, "1 GB resident");
	out_table_print(table, stdout);
	out_table_free(table);
	free(memory);
	return EXIT_SUCCESS;
}
