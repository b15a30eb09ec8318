/* kvstore: a verb for each call of reclock.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "p09-reclock/cmd/arguments.h"
#include "p09-reclock/cmd/batch.h"
#include "p09-reclock/cmd/lock_test.h"
#include "p09-reclock/cmd/text.h"
#include "p09-reclock/reclock.h"

/* ---- one record ---- */

/* Of standard input, and one byte too much is enough to see that it is. */
static size_t read_value(char *value)
{
	ssize_t n = fdio_read_full(STDIN_FILENO, value, RECLOCK_RECORD_MAX + 1);

	if (n < 0)
		die_errno((int)n, "standard input");
	return (size_t)n;
}

static int run_set(const struct arguments *a)
{
	static char input[RECLOCK_RECORD_MAX + 1];
	const char *key = a->operands[0], *value = a->operands[1];
	size_t len = strlen(value);
	struct reclock *store;
	int error;

	if (strcmp(value, "-") == 0) {
		value = input;
		len = read_value(input);
	}
	store = arguments_open(a, RECLOCK_CREATE);
	error = reclock_set_until(store, key, strlen(key), value, len,
				  tick_after(a->timeout_ns));
	if (error)
		arguments_die(a, store, key, error);
	reclock_close(store);
	return 0;
}

static int run_get(const struct arguments *a)
{
	static char value[RECLOCK_RECORD_MAX];
	const char *key = a->operands[0];
	struct reclock *store = arguments_open(a, RECLOCK_READ_ONLY);
	ssize_t n = reclock_get_until(store, key, strlen(key), value,
				      sizeof(value), tick_after(a->timeout_ns));

	if (n < 0)
		arguments_die(a, store, key, (int)n);
	fwrite(value, 1, (size_t)n, stdout);
	if (!a->is_raw)
		putchar('\n');
	reclock_close(store);
	return 0;
}

static int run_del(const struct arguments *a)
{
	const char *key = a->operands[0];
	struct reclock *store = arguments_open(a, 0);
	int error = reclock_del_until(store, key, strlen(key),
				      tick_after(a->timeout_ns));

	if (error)
		arguments_die(a, store, key, error);
	reclock_close(store);
	return 0;
}

static int run_incr(const struct arguments *a)
{
	const char *key = a->operands[0];
	int64_t by = 1, sum;
	struct reclock *store;
	int error;

	if (a->operands[1])
		by = cli_integer("N", a->operands[1], INT64_MIN, INT64_MAX);
	store = arguments_open(a, RECLOCK_CREATE);
	error = reclock_incr_until(store, key, strlen(key), by, &sum,
				   tick_after(a->timeout_ns));
	if (error)
		arguments_die(a, store, key, error);
	printf("%" PRId64 "\n", sum);
	reclock_close(store);
	return 0;
}

/* ---- all of them ---- */

static int print_record(void *arg, const void *key, size_t key_len,
			const void *value, size_t value_len)
{
	const struct arguments *a = arg;
	const size_t prefix_len = strlen(a->prefix);

	if (key_len < prefix_len || memcmp(key, a->prefix, prefix_len) != 0)
		return 0;
	text_print(stdout, key, key_len, true);
	if (a->has_values) {
		putchar('\t');
		text_print(stdout, value, value_len, false);
	}
	putchar('\n');
	/* Nobody reads on: no need to go on. */
	return ferror(stdout) ? -EPIPE : 0;
}

static int run_list(const struct arguments *a)
{
	struct reclock *store = arguments_open(a, RECLOCK_READ_ONLY);
	int error = reclock_each(store, print_record, (void *)a);

	if (error && error != -EPIPE)
		arguments_die(a, store, NULL, error);
	reclock_close(store);
	return 0;
}

static int run_stat(const struct arguments *a)
{
	struct reclock *store = arguments_open(a, RECLOCK_READ_ONLY);
	struct reclock_stat stat;
	int error = reclock_stat(store, &stat);

	if (error)
		arguments_die(a, store, NULL, error);
	printf(a->is_json ? "{\"schema\": \"unixipc-kvstore-stat/1\", "
			    "\"records\": %" PRIu64 ", \"damaged\": %" PRIu64
			    ", \"slots\": %" PRIu64 ", \"spilled\": %" PRIu64
			    ", \"groups\": %" PRIu32
			    ", \"record_bytes\": %" PRIu32
			    ", \"file_bytes\": %" PRIu64 "}\n"
			  : "records       %" PRIu64 "\n"
			    "damaged       %" PRIu64 "\n"
			    "slots         %" PRIu64 "\n"
			    "spilled       %" PRIu64 "\n"
			    "groups        %" PRIu32 "\n"
			    "record bytes  %" PRIu32 "\n"
			    "file bytes    %" PRIu64 "\n",
	       stat.records, stat.damaged, stat.slots, stat.spilled,
	       stat.groups, stat.record_bytes, stat.file_bytes);
	reclock_close(store);
	return 0;
}

static void add_finding(void *arg, const char *what)
{
	fprintf(arg, "%s\n", what);
}

/* It keeps all writers out, and whoever reads what it prints may be slow: so that
 * comes afterwards. */
static int run_check(const struct arguments *a)
{
	struct reclock *store =
		arguments_open(a, a->to_repair ? 0 : RECLOCK_READ_ONLY);
	char *findings = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&findings, &len);
	int found;

	if (!to)
		die_errno(errno, "check");
	found = reclock_check_until(store, a->to_repair, add_finding, to,
				    tick_after(a->timeout_ns));
	if (found < 0)
		arguments_die(a, store, NULL, found);
	reclock_close(store);
	if (fclose(to))
		die_errno(errno, "check: %d things are wrong", found);
	fwrite(findings, 1, len, stdout);
	free(findings);
	if (found == 0)
		puts("nothing is wrong");
	return found && !a->to_repair ? DIE_FAILURE : 0;
}

static int run_compact(const struct arguments *a)
{
	struct reclock *store = arguments_open(a, 0);
	int error = reclock_compact_until(store, tick_after(a->timeout_ns));

	if (error == -EEXIST)
		die("compact: '%s.rebuild' is in the way, and may be "
		    "somebody's: look at it, and remove it",
		    a->file);
	if (error)
		arguments_die(a, store, NULL, error);
	reclock_close(store);
	return 0;
}

/* ---- the command line ---- */

static const struct verb {
	const char *name, *operands;
	int least, most;
	bool has_key;
	int (*run)(const struct arguments *a);
} verbs[] = {
	{"set", "KEY VALUE", 2, 2, true, run_set},
	{"get", "KEY", 1, 1, true, run_get},
	{"del", "KEY", 1, 1, true, run_del},
	{"list", "", 0, 0, false, run_list},
	{"incr", "KEY [N]", 1, 2, true, run_incr},
	{"batch", "", 0, 0, false, batch_run},
	{"stat", "", 0, 0, false, run_stat},
	{"check", "", 0, 0, false, run_check},
	{"compact", "", 0, 0, false, run_compact},
	{"lock-test", "KEY (or --ring=N)", 1, 1, true, lock_test_run},
};
enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static const struct verb *find_verb(const char *name)
{
	if (!name)
		die_usage("give a verb: set, get, del, list, incr, batch, "
			  "stat, check, compact or lock-test");
	for (int i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	die_usage("no verb '%s'; there are set, get, del, list, incr, batch, "
		  "stat, check, compact and lock-test",
		  name);
}

static int run(struct arguments *a, int operands)
{
	const struct verb *verb = find_verb(a->verb);

	if (verb->run == lock_test_run && a->ring) {
		if (operands)
			die_usage("lock-test takes a KEY or --ring, and not "
				  "both");
		if (a->is_kernel && a->is_ofd)
			die_usage("--kernel and --ofd exclude each other");
		return lock_test_ring(a);
	}
	if (operands < verb->least || operands > verb->most)
		die_usage("%d operand%s for %s, which takes %s", operands,
			  operands == 1 ? "" : "s", verb->name,
			  *verb->operands ? verb->operands : "none");
	if (verb->has_key && !*a->operands[0])
		die_usage("an empty key; it has at least one byte");
	return verb->run(a);
}

static const char doc[] =
	"Keep keys and values in a file that any number of processes may use "
	"at once.\v"
	"Verbs:\n"
	"  set KEY VALUE   VALUE - is read from standard input\n"
	"  get KEY         exit status 1: there is none\n"
	"  del KEY\n"
	"  list            the keys, in no order\n"
	"  incr KEY [N]    add 1 or N to a number, and print it\n"
	"  batch           lines `set KEY VALUE`, `del KEY`, `incr KEY [N]`\n"
	"  stat            how full it is\n"
	"  check           what is wrong with the file\n"
	"  compact         write it anew\n"
	"  lock-test KEY   two processes and one lock\n\n"
	"Example: ./kvstore set key1 value1; ./kvstore get key1";

static void parse(struct arguments *a, int argc, char **argv)
{
	const struct cli_option options[] = {
		CLI_TEXT("file", 'f', "PATH", &a->file,
			 "The file (default: $KVSTORE_FILE, or ./kvstore.db)"),
		CLI_DURATION("timeout", 't', "DUR", &a->timeout_ns, 0,
			     TICK_S * 86400,
			     "How long to wait for locks (default 10s)"),
		CLI_ON("sync", 's', &a->is_sync,
		       "Changes survive a power cut; without it, "
		       "kill -9 alone"),
		CLI_SIZE("record", 0, "N", &a->record, RECLOCK_RECORD_MIN,
			 RECLOCK_RECORD_MAX,
			 "When the file is made: the most bytes of a key and "
			 "its value (default 240)"),
		CLI_COUNT("records", 0, "N", &a->records, 1, 2000000000,
			  "When the file is made: how many will come"),
		CLI_TEXT("prefix", 'p', "TEXT", &a->prefix,
			 "list: keys that begin so"),
		CLI_ON("values", 'v', &a->has_values,
		       "list: a tab and the value behind each key"),
		CLI_ON("raw", 'r', &a->is_raw, "get: no newline at the end"),
		CLI_ON("json", 'j', &a->is_json, "stat: as JSON"),
		CLI_ON("repair", 0, &a->to_repair,
		       "check: put older values back, or free what is damaged"),
		CLI_DURATION("hold", 0, "DUR", &a->hold_ns, 0, TICK_S * 3600,
			     "lock-test: how long process 1 keeps the lock "
			     "(default 2s)"),
		CLI_COUNT("ring", 0, "N", &a->ring, 2, 64,
			  "lock-test: N processes, each of which waits for "
			  "the next"),
		CLI_ON("kernel", 0, &a->is_kernel,
		       "lock-test --ring: with bare POSIX locks"),
		CLI_ON("ofd", 0, &a->is_ofd,
		       "lock-test --ring: with bare locks of open file "
		       "descriptions"),
		{0},
	};
	const struct cli_command command = {
		.doc = doc,
		.operands = "VERB [OPERAND...]",
		.most = 3,
		.options = options,
	};
	int operands = cli_parse(&command, argc, argv);

	a->verb = operands ? argv[1] : NULL;
	a->operands = argv + 2;
	exit(run(a, operands - 1));
}

int main(int argc, char **argv)
{
	const char *file = getenv("KVSTORE_FILE");
	struct arguments a = {
		.file = file && *file ? file : "./kvstore.db",
		.timeout_ns = 10 * TICK_S,
		.hold_ns = 2 * TICK_S,
		.prefix = "",
	};

	parse(&a, argc, argv);
}
