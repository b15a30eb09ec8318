#include "suite/command.h"

#include <errno.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/objname.h"

bool command_parse_json(const char *word, const char *doc, int argc,
			char **argv)
{
	bool is_json = false;
	const struct cli_option options[] = {
		CLI_ON("json", 'j', &is_json,
		       "One JSON object instead of the table"),
		{0},
	};
	const struct cli_command command = {
		.word = word, .doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	return is_json;
}

_Noreturn void command_die_inventory(int error)
{
	char path[OBJNAME_LEDGER];

	objname_ledger(path);
	if (error == -EPERM)
		die("cannot look at the IPC objects: %s is not a folder of "
		    "this user with mode 700, so nothing is claimed there: "
		    "see ls -ld %s, and remove it as its owner or as root",
		    path, path);
	die_errno(error, "cannot look at the IPC objects");
}
