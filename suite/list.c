#include "suite/command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/measure/measure.h"
#include "p06-bench/cmd/print.h"
#include "suite/registry.h"
#include "suite/storage/store.h"
#include "suite/sync/syncop.h"

static const char doc[] =
	"List every mechanism, and the largest message that each carries on "
	"this machine; and every way to synchronise, with its limit.\v"
	"Example: ipc_suite list\n\n"
	"The limit is asked of the mechanism itself; where there is one, the "
	"line below the table says which, and how to raise it. Each name in the "
	"first table is one for benchmark --mechanism; the others are measured "
	"with benchmark --all.";

static json_t *syncs_json(void)
{
	json_t *rows = json_array();

	for (size_t i = 0; syncop_table[i]; i++) {
		const struct syncop *op = syncop_table[i];
		struct syncop_limit limit;
		bool works = syncop_ask(op, &limit) == 0;
		json_t *row = json_pack(
			"{s:s, s:s, s:s, s:b, s:b, s:s, s:s?}", "name",
			op->name, "title", op->title, "summary", op->summary,
			"meets", op->meets, "works", works, "most", limit.most,
			"limit", limit.why[0] ? limit.why : NULL);

		if (!row || json_array_append_new(rows, row))
			die("out of memory");
	}
	return rows;
}

static json_t *stores_json(void)
{
	json_t *rows = json_array();

	for (size_t i = 0; store_table[i]; i++) {
		const struct store *store = store_table[i];
		json_t *row =
			json_pack("{s:s, s:s, s:s, s:s}", "name", store->name,
				  "title", store->title, "summary",
				  store->summary, "most", store->most);

		if (!row || json_array_append_new(rows, row))
			die("out of memory");
	}
	return rows;
}

static json_t *mechanisms_json(void)
{
	json_t *rows = json_array();
	const struct mechanism *m;
	char why[256];

	for (size_t i = 0; (m = registry_at(i)); i++) {
		uint64_t limit = registry_limit(m, why, sizeof(why));
		json_t *row = json_pack(
			"{s:s, s:s, s:s, s:b, s:{s:i, s:i, s:b, s:b}, s:I, "
			"s:s?}",
			"name", m->name, "title", m->title, "summary",
			m->summary, "spins", m->spins, "cost", "calls",
			m->cost.calls, "names", m->cost.names,
			"keeps_boundaries", m->cost.keeps_boundaries,
			"can_poll", m->cost.can_poll, "max_message_bytes",
			(json_int_t)limit, "limit", why[0] ? why : NULL);

		if (!row || json_array_append_new(rows, row))
			die("out of memory");
	}
	return rows;
}

static int list_json(void)
{
	return out_json(json_pack("{s:s, s:o, s:o, s:o}", "schema",
				  "unixipc-list/1", "mechanisms",
				  mechanisms_json(), "synchronisation",
				  syncs_json(), "storage", stores_json()),
			stdout);
}

static int list_mechanisms(void)
{
	static const struct out_column columns[] = {
		{"Mechanism", OUT_LEFT},
		{"Largest message", OUT_RIGHT},
		{"What it is", OUT_LEFT},
	};
	struct out_table *table = out_table_new(columns, 3);
	const struct mechanism *m;
	char why[256], size[32];
	int error;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; (m = registry_at(i)); i++) {
		uint64_t limit = registry_limit(m, why, sizeof(why));

		out_table_row(table);
		out_table_cell(table, "%s", m->name);
		out_table_cell(table, "%s",
			       limit == MEASURE_MESSAGE_MAX ? "any"
			       : limit == 0
				       ? "none"
				       : print_size(limit, size, sizeof(size)));
		out_table_cell(table, "%s", m->summary);
	}
	error = out_table_print(table, stdout);
	out_table_free(table);
	for (size_t i = 0; (m = registry_at(i)) && !error; i++) {
		registry_limit(m, why, sizeof(why));
		if (why[0])
			printf("%s: %s\n", m->name, why);
	}
	return error;
}

static int list_syncs(void)
{
	static const struct out_column columns[] = {
		{"Synchronisation", OUT_LEFT},
		{"At most", OUT_RIGHT},
		{"What it is", OUT_LEFT},
	};
	struct out_table *table = out_table_new(columns, 3);
	struct syncop_limit limit;
	int error;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; syncop_table[i]; i++) {
		syncop_ask(syncop_table[i], &limit);
		out_table_row(table);
		out_table_cell(table, "%s", syncop_table[i]->name);
		out_table_cell(table, "%s", limit.most);
		out_table_cell(table, "%s", syncop_table[i]->summary);
	}
	error = out_table_print(table, stdout);
	out_table_free(table);
	for (size_t i = 0; syncop_table[i] && !error; i++) {
		syncop_ask(syncop_table[i], &limit);
		if (limit.why[0])
			printf("%s: %s\n", syncop_table[i]->name, limit.why);
	}
	return error;
}

static int list_stores(void)
{
	static const struct out_column columns[] = {
		{"Storage", OUT_LEFT},
		{"At most", OUT_RIGHT},
		{"What it is", OUT_LEFT},
	};
	struct out_table *table = out_table_new(columns, 3);
	int error;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; store_table[i]; i++) {
		out_table_row(table);
		out_table_cell(table, "%s", store_table[i]->name);
		out_table_cell(table, "%s", store_table[i]->most);
		out_table_cell(table, "%s", store_table[i]->summary);
	}
	error = out_table_print(table, stdout);
	out_table_free(table);
	return error;
}

static int list_tables(void)
{
	static int (*const lists[])(void) = {list_mechanisms, list_syncs,
					     list_stores};
	int error = 0;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && !error;
	     i++) {
		if (i > 0)
			putchar('\n');
		error = lists[i]();
	}
	return error;
}

int command_list(int argc, char **argv)
{
	bool json = command_parse_json("list", doc, argc, argv);
	int error;

	error = json ? list_json() : list_tables();
	if (error && !ferror(stdout)) /* that is said at exit: lib/cmd/out */
		die_errno(error, "cannot print the list");
	return 0;
}
