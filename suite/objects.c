#include "suite/command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "p06-bench/cmd/print.h"
#include "suite/inventory.h"

static const char doc[] =
	"List the IPC objects of this project, of both families, with their "
	"owners. Changes nothing.\v"
	"Example: ipc_suite objects --all\n\n"
	"Users are the processes that have the object open or mapped (for "
	"System V memory: its attachments), as far as /proc may be read. "
	"The state is unknown where the owner is of other namespaces or "
	"another boot. What `ipc_suite clean` would remove, and what not and why, shows "
	"`ipc_suite clean --dry-run`.";

static void add_row(struct out_table *table, const struct inventory_item *item)
{
	char size[32] = "", users[32] = "", owner[16] = "", holds[128], age[32],
	     state[64];

	if (item->bytes >= 0)
		print_size((uint64_t)item->bytes, size, sizeof(size));
	if (item->users >= 0)
		snprintf(users, sizeof(users), "%lld", (long long)item->users);
	out_table_row(table);
	out_table_cell(table, "%s", objname_kind_word(item->entry.kind));
	out_table_cell(table, "%s", item->entry.name);
	out_table_cell(table, "%s", item->entry.program);
	if (!item->is_foreign)
		snprintf(owner, sizeof(owner), "%d",
			 (int)item->entry.owner.pid);
	out_table_cell(table, "%s", owner);
	out_table_cell(table, "%s",
		       inventory_state(item, state, sizeof(state)));
	out_table_cell(table, "%s", size);
	out_table_cell(table, "%s", users);
	out_table_cell(table, "%s",
		       inventory_holds(item, holds, sizeof(holds)));
	out_table_cell(table, "%s", inventory_age(item, age, sizeof(age)));
}

static int print_table(const struct inventory *inventory, bool is_all)
{
	static const struct out_column columns[] = {
		{"Kind", OUT_LEFT},    {"Name or id", OUT_LEFT},
		{"Program", OUT_LEFT}, {"Owner", OUT_RIGHT},
		{"State", OUT_LEFT},   {"Size", OUT_RIGHT},
		{"Users", OUT_RIGHT},  {"Holds", OUT_LEFT},
		{"Age", OUT_RIGHT},
	};
	struct out_table *table;
	int error;

	if (inventory->n == 0) {
		puts(is_all ? "no IPC objects"
			    : "no IPC objects of this project");
		return 0;
	}
	table = out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < inventory->n; i++)
		add_row(table, &inventory->item[i]);
	error = out_table_print(table, stdout);
	out_table_free(table);
	return error;
}

int command_objects(int argc, char **argv)
{
	bool is_json = false, is_all = false;
	const struct cli_option options[] = {
		CLI_ON("all", 'a', &is_all,
		       "Also those of other programs and users, which clean "
		       "never touches"),
		CLI_ON("json", 'j', &is_json,
		       "One JSON object instead of the table"),
		{0},
	};
	const struct cli_command command = {
		.word = "objects", .doc = doc, .options = options};
	struct inventory inventory;
	int error;

	cli_parse(&command, argc, argv);
	error = is_all ? inventory_take_all(&inventory)
		       : inventory_take(&inventory);
	if (error)
		command_die_inventory(error);
	error = is_json ? out_json(inventory_to_json(&inventory), stdout)
			: print_table(&inventory, is_all);
	inventory_free(&inventory);
	if (error && !ferror(stdout)) /* that is said at exit: lib/cmd/out */
		die_errno(error, "cannot print the objects");
	return 0;
}
