/* Two passes: first a line for every object with what will become of it and
 * why, then the removals, so that nobody has to learn afterwards what is gone.
 */
#include "suite/clean.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "suite/inventory.h"

static const char doc[] =
	"Remove the IPC objects that dead programs of this project left. Shows "
	"first what it will do with each. In doubt it is kept.\v"
	"Example: ipc_suite clean --dry-run\n\n"
	"Kept are objects whose owner lives or cannot be judged from here (its "
	"namespaces or boot are others), which somebody uses, which have "
	"been made by somebody else, or where that cannot be known: all of "
	"System V, and POSIX queues. For those the line shows the command that "
	"removes them, if you know that they are yours.\n\n"
	"The exit status is 1 when something could not be removed.";

/* Whether to show only. */
static bool parse(int argc, char **argv)
{
	bool dry_run = false;
	const struct cli_option options[] = {
		CLI_ON("dry-run", 'n', &dry_run, "Only show; remove nothing"),
		{0},
	};
	const struct cli_command command = {
		.word = "clean", .doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	return dry_run;
}

static const char *ending(size_t n)
{
	return n == 1 ? "" : "s";
}

static void show_item(const struct inventory_item *item)
{
	const char *reason = inventory_keeps(item);
	char command[1200];

	printf("%s  %s %s (%s, pid %d, %s%s)", reason ? "keep  " : "remove",
	       objname_kind_word(item->entry.kind), item->entry.name,
	       item->entry.program, (int)item->entry.owner,
	       inventory_owner_word(item), item->exists ? "" : ", object gone");
	if (reason)
		printf(": %s", reason);
	if (*inventory_command(item, command, sizeof(command)))
		printf("; if it is yours: %s", command);
	putchar('\n');
}

/* Returns how many are to be removed. */
static size_t show(const struct inventory *inventory)
{
	size_t wanted = 0;

	for (size_t i = 0; i < inventory->n; i++) {
		show_item(&inventory->item[i]);
		wanted += !inventory_keeps(&inventory->item[i]);
	}
	fflush(stdout);
	return wanted;
}

/* Returns how many could be. */
static size_t remove_wanted(const struct inventory *inventory)
{
	size_t removed = 0;

	for (size_t i = 0; i < inventory->n; i++) {
		const struct inventory_item *item = &inventory->item[i];
		int error;

		if (inventory_keeps(item))
			continue;
		error = inventory_remove(item);
		if (error == -EBUSY)
			die_warn("%s %s has changed meanwhile: kept",
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
	struct inventory inventory;
	bool dry_run = parse(argc, argv);
	size_t wanted, removed, kept;
	int error;

	error = inventory_take(&inventory);
	if (error)
		die_errno(error, "cannot look at the IPC objects");
	wanted = show(&inventory);
	removed = dry_run ? 0 : remove_wanted(&inventory);
	kept = inventory.n - wanted;
	if (inventory.n == 0)
		puts("no IPC objects of this project");
	else if (dry_run)
		printf("%zu object%s would be removed, %zu kept; nothing was "
		       "changed\n",
		       wanted, ending(wanted), kept);
	else
		printf("%zu object%s removed, %zu kept\n", removed,
		       ending(removed), inventory.n - removed);
	inventory_free(&inventory);
	return !dry_run && removed < wanted ? DIE_FAILURE : 0;
}
