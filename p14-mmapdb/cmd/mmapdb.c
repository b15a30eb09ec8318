/* mmapdb.c - a table of verbs, each of which parses its own options. */
#include <string.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "p14-mmapdb/cmd/verbs.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{"create", verb_create}, {"insert", verb_insert},
	{"put", verb_insert},    {"get", verb_get},
	{"del", verb_del},       {"exists", verb_exists},
	{"count", verb_count},   {"list", verb_list},
	{"import", verb_import}, {"export", verb_export},
	{"batch", verb_batch},   {"stat", verb_stat},
	{"check", verb_check},   {"compact", verb_compact},
	{"backup", verb_backup},
};

#define VERBS                                                           \
	"create, insert (put), get, del, exists, count, list, import, " \
	"export, batch, stat, check, compact and backup"

static const char doc[] =
	"An ordered database in one file, that many processes use at once.\v"
	"Verbs (each has --help):\n"
	"  create FILE            make an empty database\n"
	"  insert FILE KEY VALUE  set a value (also: put)\n"
	"  get FILE KEY           print a value\n"
	"  del FILE KEY           remove a record\n"
	"  exists FILE KEY        say by the exit status whether there is one\n"
	"  count FILE             how many records there are\n"
	"  list FILE              records in the order of their keys\n"
	"  import FILE [INPUT]    set records from JSON lines or CSV\n"
	"  export FILE            print all records as JSON lines or CSV\n"
	"  batch FILE             changes from standard input, all or none\n"
	"  stat FILE              what there is, and who reads it\n"
	"  check FILE             read all of it, and say what is damaged\n"
	"  compact FILE           write it anew, without its free space\n"
	"  backup FILE COPY       copy it while others write\n\n"
	"When a change is reported as made, it survives a power cut; with "
	"--no-sync it survives kill -9, and a power cut may take back the last "
	"ones.\n\n"
	"Example:\n"
	"  mmapdb create mydata.db --size=100MB\n"
	"  mmapdb insert mydata.db user:1 '{\"name\":\"Alice\"}'";

int main(int argc, char **argv)
{
	static const struct cli_command command = {
		.doc = doc,
		.operands = "VERB FILE [OPERAND...] [OPTION...]",
	};

	if (argc < 2 || argv[1][0] == '-') {
		cli_parse(&command, argc, argv);
		die_usage("give a verb: " VERBS);
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	die_usage("no verb '%.40s'; the verbs are " VERBS, argv[1]);
}
