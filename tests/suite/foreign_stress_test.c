/* Programs of every chapter that has objects run, and are killed, and ipc_suite
 * clean looks after them, beside twenty objects of others: of all kinds, in these
 * namespaces and in ones of their own. None is touched, also when it has the name
 * or id that ours had.
 * timeout: 900 */
#include "tests/support/foreign.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include "lib/rng.h"
#include "lib/sysv.h"
#include "lib/tick.h"
#include "suite/inventory.h"
#include "tests/support/capture.h"
#include "tests/support/leftover.h"
#include "tests/support/scratch.h"

enum { FOREIGN = 20, WORDS = 12, CLEAN_MS = 20000 };

/* What becomes of FIFO, FOLDER, PICTURE: paths in the scratch directory. */
static const char *const programs[][WORDS] = {
	{"p02-fifo/calc_server", "--fifo=FIFO"},
	{"p04-posix-mq/job_dispatcher", "--queue=/left", "--state=FOLDER"},
	{"p05-sysv-mq/sysv_server"},
	{"p07-prodcons/producer_consumer", "--processes", "--items=1000000"},
	{"p10-sempool/pool_manager", "--name=/left"},
	{"p11-barrier/barrier_test", "--iterations=1000000"},
	{"p11-barrier/barrier_test", "--iterations=1000000", "--key=0x1eff"},
	{"p12-shm-ring/shm_ringbuffer_bench", "--no-compare"},
	{"p12-shm-ring/shm_cat", "--name=/left", "read"},
	{"p13-shm-image/shm_image_filter", "PICTURE", "OUTPUT"},
	{"p15-spsc/lockfree_bench", "--iterations=100000000"},
	{"./ipc_suite", "benchmark", "--all", "--quick"},
};
enum { PROGRAMS = sizeof(programs) / sizeof(programs[0]) };

static struct {
	struct scratch scratch;
	struct foreign foreign;
	struct leftover before;
	struct rng rng;
	char path[4][128]; /* of words */
} ground;

static const char *const words[] = {"FIFO", "FOLDER", "PICTURE", "OUTPUT"};

/* ---- running ------------------------------------------------------------------------ */

static char *put_path(const char *word)
{
	static char text[WORDS][256];
	static int next;
	char *into = text[next++ % WORDS];

	snprintf(into, sizeof(text[0]), "%s", word);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char *at = strstr(into, words[i]);

		if (at)
			snprintf(at, sizeof(text[0]) - (size_t)(at - into),
				 "%s", ground.path[i]);
	}
	return into;
}

/* An ordinary user may do that only in a user namespace of its own. */
static int prefix_namespaces(char *argv[])
{
	static char *const inside[] = {"unshare",      "--ipc",
				       "--pid",        "--fork",
				       "--kill-child", "--mount-proc"};
	int n = 0;

	for (; n < (int)(sizeof(inside) / sizeof(inside[0])); n++)
		argv[n] = inside[n];
	if (geteuid() != 0) {
		argv[n++] = "--user";
		argv[n++] = "--map-current-user";
	}
	return n;
}

/* For some time, then it is killed. */
static void run_for(const char *const program[], bool is_elsewhere, int ms)
{
	char *argv[2 * WORDS] = {NULL};
	struct capture capture;
	int n = is_elsewhere ? prefix_namespaces(argv) : 0;

	for (int i = 0; i < WORDS && program[i]; i++)
		argv[n++] = put_path(program[i]);
	capture_run(&capture, argv, NULL, ms);
	capture_free(&capture);
}

static void clean(bool is_elsewhere)
{
	char *argv[2 * WORDS] = {NULL};
	struct capture capture;
	int n = is_elsewhere ? prefix_namespaces(argv) : 0;

	argv[n++] = "./ipc_suite";
	argv[n++] = "clean";
	capture_run(&capture, argv, NULL, CLEAN_MS);
	if (capture.status)
		fail_msg("clean: %d: %s%s", capture.status, capture.out,
			 capture.err);
	capture_free(&capture);
}

/* ---- before and after ---------------------------------------------------------------- */

static int set_up(void **state)
{
	static const char picture[] = "P5 64 64 255\n";
	static char bytes[sizeof(picture) - 1 + 64 * 64];

	(void)state;
	ground.before = leftover_count();
	scratch_make(&ground.scratch);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		snprintf(ground.path[i], sizeof(ground.path[i]), "%s/%s",
			 ground.scratch.dir, words[i]);
	snprintf(ground.path[2], sizeof(ground.path[2]), "%s/in.pgm",
		 ground.scratch.dir);
	snprintf(ground.path[3], sizeof(ground.path[3]), "%s/out.pgm",
		 ground.scratch.dir);
	memcpy(bytes, picture, sizeof(picture) - 1);
	scratch_write(&ground.scratch, "in.pgm", bytes, sizeof(bytes));
	foreign_make(&ground.foreign, ground.scratch.dir, FOREIGN);
	rng_seed(&ground.rng, support_is_stress() ? (uint64_t)tick_now() : 4);
	return 0;
}

static void remove_sysv(const struct inventory_foreign *found)
{
	const int id = (int)strtol(found->name, NULL, 10);

	if (found->kind == OBJNAME_SYSV_SHM)
		shmctl(id, IPC_RMID, NULL);
	else if (found->kind == OBJNAME_SYSV_SEM)
		semctl(id, 0, IPC_RMID);
	else
		msgctl(id, IPC_RMID, NULL);
}

/* In the sandbox it is all ours: what clean has kept in doubt, and what it knows
 * nothing of. */
static int remove_one(const struct inventory_foreign *found, void *arg)
{
	char path[OBJNAME_MAX + 32];

	(void)arg;
	switch (found->kind) {
	case OBJNAME_SHM:
		snprintf(path, sizeof(path), "/dev/shm%s", found->name);
		unlink(path);
		break;
	case OBJNAME_SEM:
		snprintf(path, sizeof(path), "/dev/shm/sem.%s",
			 found->name + 1);
		unlink(path);
		break;
	case OBJNAME_MQ:
		snprintf(path, sizeof(path), "/dev/mqueue%s", found->name);
		unlink(path);
		break;
	default:
		remove_sysv(found);
		break;
	}
	return 0;
}

/* Also claims of processes that cannot be judged from here. */
static void forget_ledger(void)
{
	char path[OBJNAME_LEDGER];
	char *argv[] = {"rm", "-rf", path, NULL};
	struct capture capture;

	objname_ledger(path);
	capture_run(&capture, argv, NULL, CLEAN_MS);
	assert_int_equal(capture.status, 0);
	capture_free(&capture);
}

static int tear_down(void **state)
{
	(void)state;
	foreign_remove(&ground.foreign);
	forget_ledger();
	inventory_foreign_each(remove_one, NULL);
	scratch_remove(&ground.scratch);
	leftover_assert_same(&ground.before);
	return 0;
}

/* ---- cases ---------------------------------------------------------------------------- */

static int rounds(void)
{
	return support_is_stress() ? 200 : PROGRAMS;
}

static void assert_unharmed_by(const char *program, const char *where)
{
	const char *harmed = foreign_find_harmed(&ground.foreign);

	if (harmed)
		fail_msg("%s %s: the foreign %s is not what it was", program,
			 where, harmed);
}

static void programs_and_clean_touch_no_foreign_object(void **state)
{
	(void)state;
	for (int i = 0; i < rounds(); i++) {
		const char *const *program = programs[i % PROGRAMS];
		const bool is_elsewhere = rng_below(&ground.rng, 3) == 0;
		const bool cleans_elsewhere = rng_below(&ground.rng, 3) == 0;

		run_for(program, is_elsewhere,
			1 + (int)rng_below(&ground.rng, 60));
		assert_unharmed_by(program[0], is_elsewhere ? "elsewhere" : "");
		clean(cleans_elsewhere);
		assert_unharmed_by("clean",
				   cleans_elsewhere ? "elsewhere" : "");
	}
}

/* What a killed program has left is removed by somebody else, who makes an object
 * of his own under that name or id, within the same second. */
struct heir {
	struct foreign *foreign;
	int heirs;
};

static int inherit(const struct objname_entry *entry, void *arg)
{
	struct heir *heir = arg;
	struct inventory_foreign found = {.kind = entry->kind};

	if (!objname_exists(entry) || heir->foreign->n == FOREIGN_MAX)
		return 0;
	memcpy(found.name, entry->name, sizeof(found.name));
	if (entry->kind == OBJNAME_FIFO || entry->kind == OBJNAME_SOCKET)
		unlink(entry->name);
	else
		remove_one(&found, NULL);
	if (entry->kind < OBJNAME_SYSV_SHM)
		foreign_make_as(heir->foreign, entry->kind, entry->name);
	else if (!foreign_make_id(heir->foreign, entry->kind,
				  (int)strtol(entry->name, NULL, 10)))
		return 0;
	heir->heirs++;
	return 0;
}

static void clean_touches_nothing_that_has_a_name_or_id_that_ours_had(
	void **state)
{
	struct heir heir = {&ground.foreign, 0};

	(void)state;
	foreign_remove(&ground.foreign);
	for (int i = 0; i < rounds(); i++) {
		const char *const *program = programs[i % PROGRAMS];

		run_for(program, false, 30 + (int)rng_below(&ground.rng, 60));
		objname_each(inherit, &heir);
		clean(false);
		assert_unharmed_by("clean after", program[0]);
		foreign_remove(&ground.foreign);
		forget_ledger();
	}
	print_message("%d objects had a name or id that ours had\n",
		      heir.heirs);
	assert_true(heir.heirs >= 3);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(programs_and_clean_touch_no_foreign_object),
		CASE(clean_touches_nothing_that_has_a_name_or_id_that_ours_had),
	};

	return SUPPORT_MAIN(tests);
}
