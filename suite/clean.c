/* Two passes: first a line for every object with what will become of it and
 * why, then the removals, so that nobody has to learn afterwards what is gone.
 */
#include "suite/command.h"

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
	"namespaces or boot are others), which somebody uses, or where that "
	"cannot be known, as of queues and semaphore sets of System V: for "
	"those the line shows the command that removes them, if you know that "
	"they are yours. What another program has made since under the name "
	"or id stays; its entry is forgotten.\n\n"
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
	const char *verb = inventory_is_forgotten(item) ? "forget" : "remove";
	char command[1200], state[64];

	printf("%s  %s %s (%s, pid %d, %s)", reason ? "keep  " : verb,
	       objname_kind_word(item->entry.kind), item->entry.name,
	       item->entry.program, (int)item->entry.owner.pid,
	       inventory_state(item, state, sizeof(state)));
	if (reason)
		printf(": %s", reason);
	if (*inventory_command(item, command, sizeof(command)))
		printf("; if it is yours: %s", command);
	putchar('\n');
}

struct tally {
	size_t removed, forgotten, kept;
};

static void count(struct tally *tally, const struct inventory_item *item,
		  bool is_kept)
{
	if (is_kept)
		tally->kept++;
	else if (inventory_is_forgotten(item))
		tally->forgotten++;
	else
		tally->removed++;
}

/* What is to become of them. */
static struct tally show(const struct inventory *inventory)
{
	struct tally tally = {0};

	for (size_t i = 0; i < inventory->n; i++) {
		const struct inventory_item *item = &inventory->item[i];

		show_item(item);
		count(&tally, item, inventory_keeps(item) != NULL);
	}
	fflush(stdout);
	return tally;
}

/* What has become of them. */
static struct tally remove_wanted(const struct inventory *inventory)
{
	struct tally tally = {0};

	for (size_t i = 0; i < inventory->n; i++) {
		const struct inventory_item *item = &inventory->item[i];
		int error = 0;

		if (!inventory_keeps(item)) {
			error = inventory_remove(item);
			if (error == -EBUSY)
				die_warn("%s %s has changed meanwhile: kept",
					 objname_kind_word(item->entry.kind),
					 item->entry.name);
			else if (error)
				die_warn_errno(
					error, "cannot remove %s %s",
					objname_kind_word(item->entry.kind),
					item->entry.name);
		}
		count(&tally, item, error || inventory_keeps(item));
	}
	return tally;
}

int command_clean(int argc, char **argv)
{
	struct inventory inventory;
	bool dry_run = parse(argc, argv);
	struct tally wanted, done;
	char forgotten[40] = "";
	int error;

	error = inventory_take(&inventory);
	if (error)
		command_die_inventory(error);
	wanted = show(&inventory);
	done = dry_run ? wanted : remove_wanted(&inventory);
	if (done.forgotten)
		snprintf(forgotten, sizeof(forgotten), ", %zu forgotten",
			 done.forgotten);
	if (inventory.n == 0)
		puts("no IPC objects of this project");
	else
		printf("%zu object%s %sremoved, %zu kept%s%s\n", done.removed,
		       ending(done.removed), dry_run ? "would be " : "",
		       done.kept, forgotten,
		       dry_run ? "; nothing was changed" : "");
	inventory_free(&inventory);
	return done.kept > wanted.kept ? DIE_FAILURE : 0;
}
