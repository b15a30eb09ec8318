/* Results read from a file: back again, cut short, and what is none. */
#include "lib/measure/results.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cmd/out.h"
#include "tests/p06/results_fixture.h"
#include "tests/support/scratch.h"

static struct results made;
static struct scratch scratch;

static int make(void **state)
{
	(void)state;
	make_results(&made);
	scratch_make(&scratch);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	results_free(&made);
	scratch_remove(&scratch);
	return 0;
}

static char *text_of(const struct results *results, size_t *len)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, len);

	assert_int_equal(out_json(results_to_json(results), to), 0);
	fclose(to);
	return text;
}

static void file_is_read_back(void **state)
{
	struct results back;
	char why[RESULTS_WHY] = "", *text;
	size_t len;

	(void)state;
	text = text_of(&made, &len);
	scratch_write(&scratch, "r.json", text, len);
	free(text);
	assert_int_equal(
		results_read(scratch_path(&scratch, "r.json"), &back, why), 0);
	assert_int_equal(back.n, 3);
	results_free(&back);
}

static void file_cut_short_anywhere_is_rejected(void **state)
{
	struct results back;
	char why[RESULTS_WHY] = "", *text;
	size_t len;

	(void)state;
	text = text_of(&made, &len);
	for (size_t cut = 0; cut + 2 < len; cut += 41) {
		scratch_write(&scratch, "r.json", text, cut);
		assert_int_equal(results_read(scratch_path(&scratch, "r.json"),
					      &back, why),
				 -EBADMSG);
		assert_null(strchr(why, '\n'));
	}
	assert_non_null(strstr(why, "cut short (line "));
	free(text);
}

static void other_files_are_refused_in_a_word(void **state)
{
	struct results back;
	char why[RESULTS_WHY] = "";

	(void)state;
	assert_int_equal(
		results_read(scratch_path(&scratch, "none"), &back, why),
		-ENOENT);
	assert_string_equal(why, "No such file or directory");
	assert_int_equal(results_read(scratch.dir, &back, why), -EISDIR);
	assert_int_equal(results_read("/dev/zero", &back, why), -EINVAL);
	assert_int_equal(mkfifo(scratch_path(&scratch, "fifo"), 0600), 0);
	assert_int_equal(
		results_read(scratch_path(&scratch, "fifo"), &back, why),
		-EINVAL);
	scratch_write(&scratch, "text", "hello\n", 6);
	assert_int_equal(
		results_read(scratch_path(&scratch, "text"), &back, why),
		-EBADMSG);
	assert_string_equal(why, "not JSON (line 1)");
	scratch_write(&scratch, "huge", "{", 1);
	assert_int_equal(
		truncate(scratch_path(&scratch, "huge"), RESULTS_FILE_MAX + 1),
		0);
	assert_int_equal(
		results_read(scratch_path(&scratch, "huge"), &back, why),
		-EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(file_is_read_back, make,
						unmake),
		cmocka_unit_test_setup_teardown(
			file_cut_short_anywhere_is_rejected, make, unmake),
		cmocka_unit_test_setup_teardown(
			other_files_are_refused_in_a_word, make, unmake),
	};

	return SUPPORT_MAIN(tests);
}
