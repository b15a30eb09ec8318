/* Two passes: first a line for every object with what will become of it, then
 * the removals, so that nobody has to learn afterwards what is gone. */
#include "suite/clean.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/cli.h"
#include "lib/die.h"
#include "suite/inventory.h"

static const char doc[] =
	"Remove the IPC objects that dead programs of this project left. Shows "
	"first what it will do with each; objects of live owners are kept.\v"
	"Example: ipc_suite clean --dry-run\n\n"
	"The exit status is 1 when something could not be removed.";

static const struct argp_option options[] = {
	{"dry-run", 'n', NULL, 0, "Only show; remove nothing", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *dry_run = state->input;

	(void)arg;
	if (key != 'n')
		return ARGP_ERR_UNKNOWN;
	*dry_run = true;
	return 0;
}

static const char *ending(size_t n)
{
	return n == 1 ? "" : "s";
}

/* Returns how many are to be removed. */
static size_t show(const struct inventory *inventory)
{
	size_t dead = 0;

	for (size_t i = 0; i < inventory->n; i++) {
		const struct inventory_item *item = &inventory->item[i];

		dead += !item->is_alive;
		printf("%s  %s %s (%s, pid %d, %s%s)\n",
		       item->is_alive ? "keep  " : "remove",
		       objname_kind_word(item->entry.kind), item->entry.name,
		       item->entry.program, (int)item->entry.owner,
		       item->is_alive ? "alive" : "dead",
		       item->exists ? "" : ", object gone");
	}
	fflush(stdout);
	return dead;
}

/* Returns how many could be. */
static size_t remove_dead(const struct inventory *inventory)
{
	size_t removed = 0;

	for (size_t i = 0; i < inventory->n; i++) {
		const struct inventory_item *item = &inventory->item[i];
		int error;

		if (item->is_alive)
			continue;
		error = inventory_remove(item);
		if (error == -EBUSY)
			die_warn("%s %s has a new, live owner: kept",
				 objname_kind_word(item->entry.kind),
				 item->entry.name);
		else if (error)
			die_warn_errno(error, "cannot remove %s %s",
				       objname_kind_word(item->entry.kind),
				       item->entry.name);
		else
			removed++;
	}
	return removed;
}

int clean_command(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .doc = doc};
	struct inventory inventory;
	bool dry_run = false;
	size_t dead, removed, kept;
	int error;

	cli_parse_command(&argp, "clean", argc, argv, &dry_run);
	error = inventory_take(&inventory);
	if (error)
		die_errno(error, "cannot look at the IPC objects");
	dead = show(&inventory);
	removed = dry_run ? 0 : remove_dead(&inventory);
	kept = inventory.n - dead;
	if (inventory.n == 0)
		puts("no IPC objects of this project");
	else if (dry_run)
		printf("%zu object%s would be removed, %zu kept; nothing was "
		       "changed\n",
		       dead, ending(dead), kept);
	else
		printf("%zu object%s removed, %zu kept\n", removed,
		       ending(removed), inventory.n - removed);
	inventory_free(&inventory);
	return !dry_run && removed < dead ? DIE_FAILURE : 0;
}
