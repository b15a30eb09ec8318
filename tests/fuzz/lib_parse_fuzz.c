/* The parsers of options: any text may come from a command line. What they
 * accept must mean the same when it is written out and read again. */
#include "lib/parse.h"

#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sysv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void try_numbers(const char *text)
{
	uint64_t value, again;
	char written[32];

	if (parse_size(text, &value) == 0) {
		snprintf(written, sizeof(written), "%" PRIu64 "B", value);
		must(parse_size(written, &again) == 0 && again == value);
	}
	if (parse_count(text, &value) == 0) {
		snprintf(written, sizeof(written), "%" PRIu64, value);
		must(parse_count(written, &again) == 0 && again == value);
	}
}

static void try_signed(const char *text)
{
	int64_t value, again;
	char written[32];

	if (parse_integer(text, &value) == 0) {
		snprintf(written, sizeof(written), "%" PRId64, value);
		must(parse_integer(written, &again) == 0 && again == value);
	}
	if (parse_duration(text, &value) == 0) {
		must(value >= 0);
		snprintf(written, sizeof(written), "%" PRId64 "ns", value);
		must(parse_duration(written, &again) == 0 && again == value);
	}
}

static void try_cpus(const char *text)
{
	int cpus[8];
	size_t n;

	if (parse_cpus(text, cpus, 8, &n) != 0)
		return;
	must(n >= 1 && n <= 8);
	for (size_t i = 0; i < n; i++)
		must(cpus[i] >= 0 && cpus[i] < CPU_SETSIZE);
}

static void try_endpoint(const char *text)
{
	struct parse_endpoint endpoint, again;
	char written[sizeof(endpoint.host) + 16];

	if (parse_endpoint(text, &endpoint) != 0)
		return;
	snprintf(written, sizeof(written), *endpoint.host ? "[%s]:%u" : "%s:%u",
		 endpoint.host, endpoint.port);
	must(parse_endpoint(written, &again) == 0);
	must(strcmp(again.host, endpoint.host) == 0);
	must(again.port == endpoint.port);
}

static void try_key(const char *text)
{
	char written[32];
	key_t key, again;

	if (sysv_parse_key(text, &key) != 0)
		return;
	must(key != IPC_PRIVATE);
	snprintf(written, sizeof(written), "0x%x", (unsigned int)key);
	must(sysv_parse_key(written, &again) == 0 && again == key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text =
		malloc(size + 1); /* of its own size: ASan guards the end */

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	try_numbers(text);
	try_signed(text);
	try_cpus(text);
	try_endpoint(text);
	try_key(text);
	free(text);
	return 0;
}
