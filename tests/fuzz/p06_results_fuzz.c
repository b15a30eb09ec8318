/* Any bytes, as a file of results. What is accepted must be sound enough to be
 * printed, compared with itself and written, and must then be read back as
 * the same. Seeds: tests/fuzz/p06_results_fuzz. */
#include "lib/measure/results.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p06-bench/cmd/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

static void use(const struct results *results)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	must(to != NULL);
	must(print_results(results, to) == 0);
	must(print_comparison(results, results, to) == 0);
	must(print_csv(results, to) == 0);
	fclose(to);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[RESULTS_WHY] = "";
	struct results results, again;
	json_t *value, *written;
	int r;

	value = json_loadb((const char *)data, size,
			   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	if (!value)
		return 0;
	r = results_from_json(value, &results, why);
	json_decref(value);
	if (r < 0) {
		must(why[0] && !strchr(why, '\n'));
		return 0;
	}
	use(&results);
	written = results_to_json(&results);
	must(written != NULL);
	must(results_from_json(written, &again, why) == 0);
	must(again.n == results.n);
	json_decref(written);
	results_free(&again);
	results_free(&results);
	return 0;
}
