#include "suite/registry.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/measure/measure.h"
#include "p06-bench/table.h"

/* One line for each mechanism of a chapter; ends in NULL. */
static const struct mechanism *const table_chapters[] = {
	&registry_shm_ring, &registry_spsc,     &registry_rpc_tcp,
	&registry_rpc_udp,  &registry_rpc_unix, NULL,
};

static const struct mechanism *const *const tables[] = {
	table_kernel,
	table_chapters,
};

enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

const struct mechanism *registry_at(size_t i)
{
	for (size_t t = 0; t < TABLES; t++)
		for (size_t k = 0; tables[t][k]; k++)
			if (i-- == 0)
				return tables[t][k];
	return NULL;
}

size_t registry_count(void)
{
	size_t n = 0;

	while (registry_at(n))
		n++;
	return n;
}

const struct mechanism *registry_find(const char *name)
{
	const struct mechanism *found = NULL;

	for (size_t t = 0; t < TABLES && !found; t++)
		found = table_find(tables[t], name);
	return found;
}

static bool is_picked(const struct mechanism *const picked[], int n,
		      const struct mechanism *mechanism)
{
	for (int i = 0; i < n; i++)
		if (picked[i] == mechanism)
			return true;
	return false;
}

int registry_pick(const char *list,
		  const struct mechanism *picked[REGISTRY_MAX], char *unknown,
		  size_t unknown_size)
{
	int n = 0;

	for (;;) {
		const struct mechanism *mechanism;
		size_t len = strcspn(list, ",");

		snprintf(unknown, unknown_size, "%.*s", (int)len, list);
		mechanism = registry_find(unknown);
		if (!mechanism)
			return -EINVAL;
		if (!is_picked(picked, n, mechanism))
			picked[n++] = mechanism;
		if (!list[len])
			return n;
		list += len + 1;
	}
}

/* Whether it carries that much; if not, why says so. */
static bool fits(const struct mechanism *mechanism, uint64_t bytes, char *why,
		 size_t why_size)
{
	snprintf(why, why_size, "%s", "");
	if (!mechanism->check || mechanism->check(bytes, why, why_size) == 0) {
		snprintf(why, why_size, "%s", "");
		return true;
	}
	return false;
}

uint64_t registry_limit(const struct mechanism *mechanism, char *why,
			size_t why_size)
{
	uint64_t carried = MEASURE_MESSAGE_MIN, too_much = MEASURE_MESSAGE_MAX;
	char line[256];

	if (fits(mechanism, too_much, why, why_size))
		return too_much;
	if (!fits(mechanism, carried, why, why_size))
		return 0;
	/* Sizes up to the limit fit, and none above it. */
	while (too_much - carried > 1) {
		uint64_t middle = carried + (too_much - carried) / 2;

		if (fits(mechanism, middle, line, sizeof(line)))
			carried = middle;
		else
			too_much = middle;
	}
	/* Advice to raise it by one byte would help nobody. */
	fits(mechanism,
	     carried < REGISTRY_WANTED ? REGISTRY_WANTED : MEASURE_MESSAGE_MAX,
	     why, why_size);
	return carried;
}
