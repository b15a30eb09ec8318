/* Plots by gnuplots of all kinds: a stand-in in a folder of the test's own is
 * first in PATH. */
#include "suite/html/plot.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/tick.h"
#include "suite/checkup.h"
#include "tests/support/scratch.h"

static const uint64_t sizes[] = {64, 1024, 65536};
static const double up[] = {1e8, 1e9, 5e9};
static const double gap[] = {2e8, 0, 6e9};
static const struct plot_curve curves[] = {
	{.title = "`touch /tmp/x` & <b>", .y = up},
	{.title = "', system('touch /tmp/x'), '", .y = gap},
	{.title = "not one of the plot's", .y = gap},
};
static const struct plot plot = {
	.id = "test",
	.label = "a \"label\"",
	.unit = PLOT_BYTES_PER_SECOND,
	.sizes = sizes,
	.n_sizes = 3,
	.curves = curves,
	.n_curves = 2,
};

static char *old_path;

static void make_gnuplot(struct scratch *scratch, const char *script)
{
	char path[4096];

	scratch_make(scratch);
	scratch_write(scratch, "gnuplot", script, strlen(script));
	assert_int_equal(chmod(scratch_path(scratch, "gnuplot"), 0755), 0);
	snprintf(path, sizeof(path), "%s:%s", scratch->dir, old_path);
	assert_int_equal(setenv("PATH", path, 1), 0);
}

static void remove_gnuplot(struct scratch *scratch)
{
	assert_int_equal(setenv("PATH", old_path, 1), 0);
	scratch_remove(scratch);
}

static int draw(char **svg)
{
	return plot_draw(&plot, tick_after(20 * TICK_S), svg);
}

static void without_gnuplot_there_is_no_plot(void **state)
{
	char *svg = NULL;
	int fds = support_count_fds();

	(void)state;
	assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
	assert_int_equal(draw(&svg), -ENOENT);
	assert_int_equal(setenv("PATH", old_path, 1), 0);
	assert_null(svg);
	assert_int_equal(support_count_fds(), fds);
}

static void gnuplot_gets_numbers_and_no_titles(void **state)
{
	struct scratch scratch;
	char *svg = NULL, script[4096];
	FILE *file;
	size_t len;

	(void)state;
	make_gnuplot(&scratch, "#!/bin/sh\n"
			       "cat >\"$0.script\"\n"
			       "echo '<svg ></svg>'\n");
	assert_int_equal(draw(&svg), 0);
	free(svg);
	file = fopen(scratch_path(&scratch, "gnuplot.script"), "r");
	assert_non_null(file);
	len = fread(script, 1, sizeof(script) - 1, file);
	fclose(file);
	script[len] = '\0';
	assert_non_null(strstr(script, "\n1024 1e+09\n"));
	assert_non_null(strstr(script, "\n1024 NaN\n"));
	assert_null(strstr(script, "touch"));
	assert_null(strstr(script, "label"));
	assert_null(strchr(script, '`'));
	remove_gnuplot(&scratch);
}

static void a_gnuplot_that_hangs_is_killed_at_the_deadline(void **state)
{
	struct scratch scratch;
	char *svg = NULL;
	int fds = support_count_fds();

	(void)state;
	make_gnuplot(&scratch, "#!/bin/sh\nexec sleep 1000\n");
	assert_int_equal(plot_draw(&plot, tick_after(50 * TICK_MS), &svg),
			 -ETIMEDOUT);
	assert_null(svg);
	assert_int_equal(support_count_fds(), fds);
	remove_gnuplot(&scratch);
}

static void what_is_no_drawing_is_refused(void **state)
{
	/* More than any drawing has. */
	static const char too_long[] =
		"#!/bin/sh\necho '<svg>'; yes | head -c 16777216; "
		"echo '</svg>'\n";
	static const char *const scripts[] = {
		"#!/bin/sh\necho '<svg></svg>'\nexit 1\n",
		"#!/bin/sh\nexit 0\n",
		"#!/bin/sh\necho '<svg><g>'\n",
		"#!/bin/sh\necho '</svg><p>'\n",
		too_long,
	};
	struct scratch scratch;
	char *svg = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		make_gnuplot(&scratch, scripts[i]);
		assert_int_equal(draw(&svg), -EBADMSG);
		assert_null(svg);
		remove_gnuplot(&scratch);
	}
}

static void titles_come_back_as_text_of_their_curves(void **state)
{
	struct scratch scratch;
	char *svg = NULL;

	(void)state;
	make_gnuplot(&scratch,
		     "#!/bin/sh\n"
		     "cat <<END\n"
		     "<?xml version='1.0'?>\n"
		     "<svg x='1'><title>Gnuplot</title><g id='gpPt0'/>"
		     "<g id=\"gnuplot_plot_1\" ><title>gnuplot_plot_1</title>"
		     "</g><g id=\"gnuplot_plot_99\" ><title>gnuplot_plot_99"
		     "</title></g><title>gnuplot_plot_3</title>"
		     "<use xlink:href='#gpPt0'/></svg>\n"
		     "END\n");
	assert_int_equal(draw(&svg), 0);
	assert_string_equal(svg,
			    "<svg class=\"plot\" role=\"img\" "
			    "aria-label=\"a &quot;label&quot;\" x='1'>"
			    "<g id='test_gpPt0'/>"
			    "<g class=\"curve s1\" id=\"test_plot_1\" >"
			    "<title>`touch /tmp/x` &amp; &lt;b&gt;</title></g>"
			    "<g class=\"curve s3\" id=\"test_plot_99\" ></g>"
			    "<use xlink:href='#test_gpPt0'/></svg>\n");
	free(svg);
	remove_gnuplot(&scratch);
}

static void the_real_gnuplot_draws_every_curve(void **state)
{
	char *svg = NULL, path[512];

	(void)state;
	if (!checkup_find_tool("gnuplot", path, sizeof(path)))
		skip();
	assert_int_equal(draw(&svg), 0);
	assert_non_null(strstr(svg, "<g class=\"curve s1\""));
	assert_non_null(strstr(svg, "<g class=\"curve s2\""));
	assert_null(strstr(svg, "<g class=\"curve s3\""));
	assert_non_null(strstr(svg, ">64KB<"));
	assert_null(strstr(svg, "gnuplot_"));
	free(svg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_gnuplot_there_is_no_plot),
		cmocka_unit_test(gnuplot_gets_numbers_and_no_titles),
		cmocka_unit_test(
			a_gnuplot_that_hangs_is_killed_at_the_deadline),
		cmocka_unit_test(what_is_no_drawing_is_refused),
		cmocka_unit_test(titles_come_back_as_text_of_their_curves),
		cmocka_unit_test(the_real_gnuplot_draws_every_curve),
	};

	const char *path = getenv("PATH");

	old_path = strdup(path ? path : "/usr/bin:/bin");
	if (!old_path)
		return EXIT_FAILURE;
	return SUPPORT_MAIN(tests);
}
