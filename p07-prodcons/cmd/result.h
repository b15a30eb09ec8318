/* result.h - what came of a run, for people and as JSON. */
#ifndef UNIXIPC_P07_PRODCONS_CMD_RESULT_H
#define UNIXIPC_P07_PRODCONS_CMD_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "p07-prodcons/cmd/crew.h"

struct result {
	int64_t start_ns, end_ns;
	struct bounded_figures figures;
	struct audit_deaths deaths;
	struct audit_verdict verdict;
};

/* The first two lines; before anything is started. */
void result_print_title(const struct role_plan *plan, uint32_t buffer_size);

/* Reap the crew, which has ended, and judge. Returns 0 or -errno. */
int result_collect(struct result *result, struct crew *crew);

/* Print it; whether all was right. */
bool result_print(const struct result *result, const struct crew *crew);
bool result_print_json(const struct result *result, const struct crew *crew);

#endif
