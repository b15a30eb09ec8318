#include "suite/html/page.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite/pivot.h"

#define SET(to, text) snprintf(to, sizeof(to), "%s", text)

static char *old_path;

/* Room for what the cases add; all rows share one trial. */
struct run {
	struct outcome outcome;
	struct results_row row[16];
	struct measure_trial trial;
};

static struct results_row *add_row(struct run *run, const char *name,
				   size_t bytes,
				   enum measure_placement placement)
{
	struct results_row *row = &run->row[run->outcome.results.n++];

	run->outcome.results.row = run->row;
	*row = (struct results_row){0};
	snprintf(row->name, sizeof(row->name), "%s", name);
	snprintf(row->title, sizeof(row->title), "%s", name);
	row->figures.options.message_bytes = bytes;
	row->figures.options.placement = placement;
	row->figures.trials = 1;
	row->figures.trial = &run->trial;
	row->figures.median = (struct measure_trial){
		.bytes_per_s = 2e9, .messages_per_s = 2e6, .rtt_p50 = 12345};
	return row;
}

static void start_run(struct run *run)
{
	*run = (struct run){0};
	SET(run->outcome.results.machine.cpu, "A Processor");
	SET(run->outcome.results.machine.kernel, "A Kernel");
	run->outcome.results.created = 86400;
}

/* The page without plots, to be freed. */
static char *make_page(const struct run *run)
{
	const char *no_plots = NULL;
	char *page = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&page, &len);

	assert_non_null(to);
	assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
	assert_int_equal(page_write(&run->outcome, &no_plots, to), 0);
	assert_int_equal(setenv("PATH", old_path, 1), 0);
	if (run->outcome.results.n > 0)
		assert_non_null(no_plots);
	fclose(to);
	return page;
}

static void a_page_without_gnuplot_says_so_and_has_tables(void **state)
{
	struct run run;
	char *page;

	(void)state;
	start_run(&run);
	add_row(&run, "pipe", 64, MEASURE_TWO_CPUS);
	page = make_page(&run);
	assert_non_null(strstr(page, "No plots: gnuplot is not installed"));
	assert_null(strstr(page, "<svg"));
	assert_non_null(strstr(page, "Messages of 64B"));
	assert_non_null(strstr(page, "2.00 GB/s"));
	assert_non_null(strstr(page, "12.3 µs"));
	assert_non_null(strstr(page, "1970-01-02 00:00 UTC"));
	free(page);
}

static void text_of_a_file_stays_text(void **state)
{
	static const char evil[] = "<script>alert(1)</script>";
	struct results_row *row;
	struct run run;
	char *page;

	(void)state;
	start_run(&run);
	SET(run.outcome.results.machine.cpu, evil);
	SET(run.outcome.results.machine.kernel, "\"><img src=x>");
	add_row(&run, evil, 64, MEASURE_TWO_CPUS);
	row = add_row(&run, "mq", 64, MEASURE_TWO_CPUS);
	row->figures.error = -EMSGSIZE;
	SET(row->figures.why, evil);
	page = make_page(&run);
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "<img"));
	assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
	free(page);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

/* However many of its trials were. */
static void a_row_is_marked_as_disturbed_once(void **state)
{
	static const char mark[] = ">disturbed<"; /* the notes have one */
	struct measure_trial trials[3] = {{.is_disturbed = true},
					  {.is_disturbed = false},
					  {.is_disturbed = true}};
	struct results_row *row;
	struct run run;
	char *page;

	(void)state;
	start_run(&run);
	row = add_row(&run, "pipe", 64, MEASURE_TWO_CPUS);
	page = make_page(&run);
	assert_int_equal(count(page, mark), 1);
	free(page);
	row->figures.trial = trials;
	row->figures.trials = 3;
	page = make_page(&run);
	assert_int_equal(count(page, mark), 2);
	free(page);
}

static void a_row_without_figures_says_why(void **state)
{
	struct results_row *row;
	struct run run;
	char *page;

	(void)state;
	start_run(&run);
	add_row(&run, "pipe", 65536, MEASURE_TWO_CPUS);
	row = add_row(&run, "posix-mq", 65536, MEASURE_TWO_CPUS);
	row->figures.error = -EMSGSIZE;
	SET(row->figures.why, "message limit 8192 bytes");
	page = make_page(&run);
	assert_non_null(strstr(page, "<td class=\"why\" colspan=\"12\">"
				     "message limit 8192 bytes</td>"));
	free(page);
}

static void the_page_needs_nothing_from_elsewhere(void **state)
{
	struct run run;
	char *page;

	(void)state;
	start_run(&run);
	add_row(&run, "pipe", 64, MEASURE_ONE_CPU);
	page = make_page(&run);
	assert_null(strstr(page, "src="));
	assert_null(strstr(page, " href="));
	assert_null(strstr(page, "url("));
	assert_null(strstr(page, "@import"));
	assert_null(strstr(page, "<link"));
	assert_non_null(strstr(page, "prefers-color-scheme: dark"));
	assert_non_null(strstr(page, "name=\"viewport\""));
	free(page);
}

static void the_best_of_each_kind_is_named(void **state)
{
	struct results_row *fast, *quick;
	struct run run;
	char *page;

	(void)state;
	start_run(&run);
	fast = add_row(&run, "fast", 64, MEASURE_TWO_CPUS);
	fast->figures.median.bytes_per_s = 9e9;
	quick = add_row(&run, "quick", 64, MEASURE_TWO_CPUS);
	quick->figures.median.rtt_p50 = 99;
	page = make_page(&run);
	assert_non_null(strstr(page,
			       "<td class=\"text\">fast <span class=\"faint\">"
			       "9.00 GB/s</span></td><td class=\"text\">quick "
			       "<span class=\"faint\">99 ns</span></td>"));
	free(page);
}

static void placements_have_a_section_each(void **state)
{
	struct run run;
	char *page;

	(void)state;
	start_run(&run);
	add_row(&run, "pipe", 64, MEASURE_TWO_CPUS);
	add_row(&run, "pipe", 64, MEASURE_ONE_CPU);
	page = make_page(&run);
	assert_non_null(strstr(page, "two CPUs</h2>"));
	assert_non_null(strstr(page, "one CPU</h2>"));
	free(page);
}

static void a_run_without_rows_is_a_page_too(void **state)
{
	struct run run;
	char *page;

	(void)state;
	start_run(&run);
	page = make_page(&run);
	assert_non_null(strstr(page, "no rows"));
	assert_non_null(strstr(page, "</html>"));
	free(page);
}

/* ---- the pivot table beneath -------------------------------------------------------------- */

static void a_pivot_table_sorts_sizes_and_keeps_the_order_of_mechanisms(
	void **state)
{
	struct run run;
	struct pivot pivot;

	(void)state;
	start_run(&run);
	add_row(&run, "tcp", 4096, MEASURE_TWO_CPUS);
	add_row(&run, "pipe", 64, MEASURE_TWO_CPUS);
	add_row(&run, "tcp", 64, MEASURE_ONE_CPU);
	add_row(&run, "pipe", 4096, MEASURE_TWO_CPUS)->figures.error = -EIO;
	assert_int_equal(pivot_make(&pivot, &run.outcome.results), 0);
	assert_int_equal(pivot.n_placements, 2);
	assert_int_equal(pivot.n_sizes, 2);
	assert_int_equal(pivot.size[0], 64);
	assert_int_equal(pivot.size[1], 4096);
	assert_int_equal(pivot.n_mechanisms, 2);
	assert_string_equal(pivot_name(&pivot, 0), "tcp");
	assert_ptr_equal(pivot_good(&pivot, 0, 1, 0), &run.row[0]);
	assert_ptr_equal(pivot_good(&pivot, 1, 0, 0), &run.row[2]);
	assert_null(pivot_good(&pivot, 1, 1, 0));
	assert_null(pivot_good(&pivot, 0, 1, 1)); /* it has no figures */
}

static void a_slice_has_the_rows_of_one_size_and_placement(void **state)
{
	struct results slice;
	struct run run;
	struct pivot pivot;

	(void)state;
	start_run(&run);
	add_row(&run, "tcp", 4096, MEASURE_TWO_CPUS);
	add_row(&run, "pipe", 64, MEASURE_TWO_CPUS);
	add_row(&run, "pipe", 4096, MEASURE_TWO_CPUS);
	add_row(&run, "pipe", 4096, MEASURE_ONE_CPU);
	assert_int_equal(pivot_make(&pivot, &run.outcome.results), 0);
	assert_int_equal(pivot_slice(&pivot, 0, 1, &slice), 0);
	assert_int_equal(slice.n, 2);
	assert_string_equal(slice.row[0].name, "tcp");
	assert_string_equal(slice.row[1].name, "pipe");
	assert_string_equal(slice.machine.cpu, "A Processor");
	free(slice.row);
}

static void more_sizes_or_mechanisms_than_we_have_are_refused(void **state)
{
	static struct results_row row[PIVOT_SIZES + 1];
	struct results results = {.n = PIVOT_SIZES + 1, .row = row};
	struct pivot pivot;

	(void)state;
	for (size_t i = 0; i < results.n; i++)
		row[i].figures.options.message_bytes = 16 + i;
	assert_int_equal(pivot_make(&pivot, &results), -E2BIG);
	results.n = PIVOT_SIZES;
	assert_int_equal(pivot_make(&pivot, &results), 0);
	assert_int_equal(pivot.n_sizes, PIVOT_SIZES);

	results.n = PIVOT_MECHANISMS + 1;
	for (size_t i = 0; i < results.n; i++) {
		row[i].figures.options.message_bytes = 16;
		snprintf(row[i].name, sizeof(row[i].name), "m%zu", i);
	}
	assert_int_equal(pivot_make(&pivot, &results), -E2BIG);
	results.n = PIVOT_MECHANISMS;
	assert_int_equal(pivot_make(&pivot, &results), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_without_gnuplot_says_so_and_has_tables),
		cmocka_unit_test(text_of_a_file_stays_text),
		cmocka_unit_test(a_row_is_marked_as_disturbed_once),
		cmocka_unit_test(a_row_without_figures_says_why),
		cmocka_unit_test(the_page_needs_nothing_from_elsewhere),
		cmocka_unit_test(the_best_of_each_kind_is_named),
		cmocka_unit_test(placements_have_a_section_each),
		cmocka_unit_test(a_run_without_rows_is_a_page_too),
		cmocka_unit_test(
			a_pivot_table_sorts_sizes_and_keeps_the_order_of_mechanisms),
		cmocka_unit_test(
			a_slice_has_the_rows_of_one_size_and_placement),
		cmocka_unit_test(
			more_sizes_or_mechanisms_than_we_have_are_refused),
	};

	const char *path = getenv("PATH");

	old_path = strdup(path ? path : "/usr/bin:/bin");
	if (!old_path)
		return EXIT_FAILURE;
	return SUPPORT_MAIN(tests);
}
