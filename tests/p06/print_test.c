#include "p06-bench/cmd/print.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/p06/results_fixture.h"

static struct results made;
static char *text;

static int make(void **state)
{
	struct measure_options o = MEASURE_OPTIONS_INIT;

	(void)state;
	results_init(&made, &o);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	results_free(&made);
	free(text);
	text = NULL;
	return 0;
}

static void print(void)
{
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_int_equal(print_results(&made, to), 0);
	fclose(to);
}

static void assert_has(const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

static void sizes_and_counts_are_exact(void **state)
{
	static const struct {
		uint64_t n;
		const char *size, *count;
	} cases[] = {
		{0, "0B", "0"},
		{1, "1B", "1"},
		{1000, "1000B", "1K"},
		{1024, "1KB", "1024"},
		{100000, "100000B", "100K"},
		{65536, "64KB", "65536"},
		{1 << 20, "1MB", "1048576"},
		{1000000, "1000000B", "1M"},
		{1536, "1536B", "1536"},
		{UINT64_C(1) << 40, "1024GB", "1099511627776"},
		{UINT64_C(1000000000000), "976562500KB", "1000G"},
	};
	char buf[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(print_size(cases[i].n, buf, sizeof(buf)),
				    cases[i].size);
		assert_string_equal(print_count(cases[i].n, buf, sizeof(buf)),
				    cases[i].count);
	}
}

static void title_and_columns_are_as_in_the_guide(void **state)
{
	static const char title[] = "IPC Mechanism Benchmark (1KB messages, "
				    "100K iterations)\n\u2550\u2550\u2550";

	(void)state;
	make_results(&made);
	print();
	assert_int_equal(strncmp(text, title, sizeof(title) - 1), 0);
	const char *at = strstr(text, "\nMechanism ");
	static const char *const titles[] = {"Throughput", "Latency (avg)",
					     "Latency (p99)", NULL};
	for (size_t i = 0; titles[i]; i++) {
		assert_non_null(at);
		at = strstr(at, titles[i]);
	}
	assert_non_null(at);
	assert_has("\nPipe ");
	assert_has(" 1.20 GB/s ");
	assert_has(" 60.0 us ");
	assert_has("Latency is a whole round trip");
	assert_has("\nRound trip of one cache line, CPU 0 to 1: 126 ns");
}

static void row_without_figures_says_why(void **state)
{
	(void)state;
	make_results(&made);
	print();
	assert_has("\nPOSIX Message Queue (1KB): message limit 512 bytes");
}

static void unstable_and_short_rows_are_marked(void **state)
{
	(void)state;
	add_figures(&made, &mech_pipe, 1024, 1e9, 0.2);
	made.row[0].figures.median.messages = 5000;
	made.row[0].figures.median.is_disturbed = true;
	made.row[0].spins = true;
	print();
	assert_has("unstable, disturbed, spins, 5.00k messages\n");
}

static void legend_tells_of_what_was_thrown_away(void **state)
{
	(void)state;
	add_figures(&made, &mech_pipe, 1024, 1e9, 0.02); /* 7 in each of 3 */
	print();
	assert_has("\nThrown away and run again: 21 samples that met ");
	assert_null(strstr(text, "Rows marked disturbed"));
	for (int i = 0; i < 3; i++)
		made.row[0].figures.trial[i].disturbed = 0;
	made.row[0].figures.median.is_disturbed = true;
	free(text);
	print();
	assert_null(strstr(text, "Thrown away"));
	assert_has("\nRows marked disturbed found no quiet time");
}

static void size_is_a_column_when_rows_differ_in_it(void **state)
{
	(void)state;
	add_figures(&made, &mech_pipe, 64, 1e9, 0);
	print();
	assert_null(strstr(text, " size "));
	free(text);
	add_figures(&made, &mech_pipe, 4096, 1e9, 0);
	print();
	assert_has(" size ");
	assert_has(" 4KB\n");
}

static void winner_has_the_highest_throughput_of_the_first_group(void **state)
{
	(void)state;
	add_error(&made, &mech_fifo, -EIO, "no");
	add_figures(&made, &mech_pipe, 1024, 1e9, 0.02);
	add_figures(&made, &mech_unix_stream, 1024, 2e9, 0.02);
	add_figures(&made, &mech_sysv_mq, 1024, 0.5e9, 0.02);
	add_figures(&made, &mech_shm_sem, 4096, 9e9, 0.02); /* other size */
	add_figures(&made, &mech_eventfd, 1024, 8e9, 0.02); /* on one CPU */
	made.row[5].figures.options.placement = MEASURE_ONE_CPU;
	assert_string_equal(print_winner(&made)->name, "unix-stream");
	print();
	assert_has("\nWinner: Unix Domain Socket (for raw throughput)\n");
}

static void mechanisms_within_the_winners_spread_are_named(void **state)
{
	(void)state;
	add_figures(&made, &mech_pipe, 1024, 1.95e9, 0.02);
	add_figures(&made, &mech_fifo, 1024, 1.75e9, 0.02);
	add_figures(&made, &mech_unix_stream, 1024, 2e9, 0.1);
	print();
	assert_has("\nWinner: Unix Domain Socket (for raw throughput; within "
		   "its spread: Pipe)\n");
}

/* calls + 2 per name + 2 without boundaries + 2 without poll: pipe 6, stream
 * 6, seqpacket 4, System V queue 10. */
static void simplest_costs_least_and_of_equals_is_fastest(void **state)
{
	(void)state;
	add_figures(&made, &mech_sysv_mq, 1024, 9e9, 0.02);
	add_figures(&made, &mech_pipe, 1024, 1e9, 0.02);
	add_figures(&made, &mech_unix_stream, 1024, 2e9, 0.02);
	assert_string_equal(print_simplest(&made)->name, "unix-stream");
	add_figures(&made, &mech_unix_seqpacket, 1024, 0.5e9, 0.02);
	assert_string_equal(print_simplest(&made)->name, "unix-seqpacket");
	print();
	assert_has("\nBest simplicity: Unix Domain Socket (seqpacket)\n");
}

static void without_figures_there_is_no_winner(void **state)
{
	(void)state;
	assert_null(print_winner(&made));
	add_error(&made, &mech_fifo, -EIO, "no");
	assert_null(print_winner(&made));
	assert_null(print_simplest(&made));
	print();
	assert_null(strstr(text, "Winner"));
}

static void comparison_marks_what_moved(void **state)
{
	struct results earlier;
	struct measure_options o = MEASURE_OPTIONS_INIT;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	results_init(&earlier, &o);
	strcpy(earlier.machine.cpu, "Abacus");
	add_figures(&earlier, &mech_pipe, 1024, 1e9, 0.02);
	add_figures(&earlier, &mech_fifo, 1024, 1e9, 0.2);
	add_figures(&made, &mech_pipe, 1024, 2e9, 0.02);
	add_figures(&made, &mech_fifo, 1024, 1.1e9, 0.2);
	add_figures(&made, &mech_tcp, 1024, 1e9, 0.2);
	assert_int_equal(print_comparison(&made, &earlier, to), 0);
	fclose(to);
	assert_has("2.00x *");
	assert_null(strstr(text, "1.10x *"));
	assert_has("1.10x");
	assert_has("not in the earlier run");
	assert_has("\nAnother machine then: Abacus");
	assert_null(strstr(text, "Another kernel"));
	assert_null(strstr(text, "Another number"));
	results_free(&earlier);
}

static void comparison_tells_of_what_else_was_different(void **state)
{
	struct results earlier;
	struct measure_options o = MEASURE_OPTIONS_INIT;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	o.iterations = 777;
	results_init(&earlier, &o);
	strcpy(earlier.machine.kernel, "Linux 0.11");
	add_error(&earlier, &mech_pipe, -EIO, "no");
	add_figures(&made, &mech_pipe, 1024, 2e9, 0.02);
	assert_int_equal(print_comparison(&made, &earlier, to), 0);
	fclose(to);
	assert_null(strstr(text, "Another machine"));
	assert_has("\nAnother kernel then: Linux 0.11\n");
	assert_has("\nAnother number of iterations then: 777\n");
	results_free(&earlier);
}

/* As somebody may have written it: there is no ratio to nothing. */
static void row_without_a_rate_has_no_ratio(void **state)
{
	struct results earlier;
	struct measure_options o = MEASURE_OPTIONS_INIT;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	results_init(&earlier, &o);
	add_figures(&earlier, &mech_pipe, 1024, 0, 0.02);
	add_figures(&made, &mech_pipe, 1024, 2e9, 0.02);
	assert_int_equal(print_comparison(&made, &earlier, to), 0);
	fclose(to);
	assert_has("no figures\n");
	results_free(&earlier);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_and_counts_are_exact),
		cmocka_unit_test_setup_teardown(
			title_and_columns_are_as_in_the_guide, make, unmake),
		cmocka_unit_test_setup_teardown(row_without_figures_says_why,
						make, unmake),
		cmocka_unit_test_setup_teardown(
			unstable_and_short_rows_are_marked, make, unmake),
		cmocka_unit_test_setup_teardown(
			legend_tells_of_what_was_thrown_away, make, unmake),
		cmocka_unit_test_setup_teardown(
			size_is_a_column_when_rows_differ_in_it, make, unmake),
		cmocka_unit_test_setup_teardown(
			winner_has_the_highest_throughput_of_the_first_group,
			make, unmake),
		cmocka_unit_test_setup_teardown(
			mechanisms_within_the_winners_spread_are_named, make,
			unmake),
		cmocka_unit_test_setup_teardown(
			simplest_costs_least_and_of_equals_is_fastest, make,
			unmake),
		cmocka_unit_test_setup_teardown(
			without_figures_there_is_no_winner, make, unmake),
		cmocka_unit_test_setup_teardown(comparison_marks_what_moved,
						make, unmake),
		cmocka_unit_test_setup_teardown(
			comparison_tells_of_what_else_was_different, make,
			unmake),
		cmocka_unit_test_setup_teardown(row_without_a_rate_has_no_ratio,
						make, unmake),
	};

	return SUPPORT_MAIN(tests);
}
