/* play.c - play a log again, and at every step have each state checked that a
 * power cut could leave just then.
 *
 * Which states of a step: nothing that is pending, all of it, and every
 * combination where there are few (EXHAUSTIVE), else random ones, as many as
 * --states leaves for the step. What was checked already, with as many lines
 * said, is not checked again. A state has a number within its step: 0 nothing,
 * 1 all, from 2 on the combinations, or the random ones; step, number and seed
 * make it again.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/rng.h"
#include "lib/tick.h"
#include "tests/crash/checker.h"
#include "tests/crash/known.h"
#include "tests/crash/pick.h"
#include "tests/crash/state.h"
#include "tests/crash/world.h"

struct player {
	/* What was asked for. */
	uint64_t states, seed;
	const char *only, *keep, *folder, *without, *cut, *lines;
	bool goes_on;

	struct log_head *log;
	struct world world;
	struct state state;
	struct checker checker;
	char path[80]; /* where states are made */

	uint64_t only_step, only_number; /* UINT64_MAX: all */
	uint64_t step, steps;            /* those that change something */
	uint64_t said;
	uint64_t checked, bad, exhaustive;

	struct known known;
};

/* ---- one state --------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int kind,
		      struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

static void remove_tree(const char *path)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 &&
	    errno != ENOENT)
		err(3, "cannot remove %s", path);
}

static char scratch[64]; /* for states; removed at exit */

static void remove_scratch(void)
{
	remove_tree(scratch);
}

static void make_scratch(struct player *p)
{
	snprintf(scratch, sizeof(scratch), "/tmp/unixipc-play.XXXXXX");
	if (!mkdtemp(scratch))
		err(3, "cannot make %s", scratch);
	atexit(remove_scratch);
	snprintf(p->path, sizeof(p->path), "%s/state", scratch);
}

static void write_to(struct player *p, const char *path, uint64_t seed)
{
	int dir;

	if (mkdir(path, 0700) < 0)
		err(3, "cannot make %s", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		err(3, "cannot open %s", path);
	state_write(&p->state, dir, seed);
	close(dir);
}

static void describe(const struct log_record *record)
{
	static const char *const words[] = {
		"nothing", "said", "make",   "mkdir",  "found",
		"write",   "zero", "size",   "grow",   "sync",
		"synced",  "link", "unlink", "rename", "lost"};

	fprintf(stderr, "      after pid %d: %s", record->pid,
		words[record->kind]);
	if (record->kind == LOG_SAID)
		fprintf(stderr, " %s", (const char *)(record + 1));
	else if (record->file)
		fprintf(stderr, " of file %u", record->file);
	if (record->name[0])
		fprintf(stderr, " %s", record->name);
	if (record->name2[0])
		fprintf(stderr, " to %s", record->name2);
	if (record->kind == LOG_WRITE)
		fprintf(stderr, ", %" PRIu64 " bytes at %" PRIu64, record->len,
			record->offset);
	fputc('\n', stderr);
}

static void report(struct player *p, const struct log_record *record,
		   uint64_t number, const char *why)
{
	fprintf(stderr,
		"play: bad state %" PRIu64 ":%" PRIu64 " of seed %" PRIu64
		": %s\n",
		p->step, number, p->seed, why);
	describe(record);
	if (!p->keep)
		return;
	/* Once more, as the checker may have changed it. */
	remove_tree(p->keep);
	write_to(p, p->keep, number);
}

/* What pick[] says is a state of the step; number names it. */
static void visit(struct player *p, const struct log_record *record,
		  uint64_t number)
{
	uint64_t hash = state_compose(&p->state);
	char why[1024];

	if ((p->bad && !p->goes_on) || !known_add(&p->known, hash, p->said))
		return;
	p->checked++;
	write_to(p, p->path, number);
	if (!checker_ask(&p->checker, p->path, why, sizeof(why)) &&
	    p->bad++ == 0)
		report(p, record, number, why);
	remove_tree(p->path);
}

/* ---- the states of a step ---------------------------------------------------- */

static void visit_number(struct player *p, const struct log_record *record,
			 uint64_t number)
{
	pick_number(&p->state, number, record->number,
		    p->seed ^ (p->step << 32));
	visit(p, record, number);
}

static void visit_step(struct player *p, const struct log_record *record)
{
	const uint64_t checked = p->checked;
	uint64_t combinations, left, n;

	combinations = pick_combinations(&p->state);
	visit_number(p, record, PICK_NOTHING);
	visit_number(p, record, PICK_ALL);
	if (combinations <= PICK_EXHAUSTIVE && p->exhaustive <= p->states / 2) {
		for (uint64_t i = 0; i < combinations; i++)
			visit_number(p, record, PICK_COMBINATION + i);
		p->exhaustive += p->checked - checked;
		return;
	}
	left = p->states > p->checked ? p->states - p->checked : 0;
	n = left / (p->steps - p->step + 1) + 1;
	for (uint64_t i = 0; i < n; i++)
		visit_number(p, record, PICK_RANDOM + i);
}

/* ---- the log ----------------------------------------------------------------- */

static struct log_head *map_log(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct log_head *log;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		err(3, "cannot open the log %s", path);
	log = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (log == MAP_FAILED || !log)
		err(3, "cannot map the log %s", path);
	close(fd);
	if ((size_t)st.st_size < LOG_START || log->magic != LOG_MAGIC ||
	    log->used > (size_t)st.st_size)
		errx(3, "%s is no log of the recorder", path);
	return log;
}

static const struct log_record *next_record(const struct log_head *log,
					    uint64_t *offset)
{
	const struct log_record *record;

	do {
		if (!log || *offset >= log->used)
			return NULL;
		record = (const void *)((const char *)log + *offset);
		*offset += record->bytes;
	} while (!record->is_done);
	return record;
}

static void count_steps(struct player *p)
{
	const struct log_record *record;
	uint64_t offset = LOG_START;

	/* More or less: some that are found are no steps. */
	while ((record = next_record(p->log, &offset)))
		p->steps += record->kind != LOG_NOTHING &&
			    record->kind != LOG_SYNC &&
			    record->kind != LOG_SYNCED;
}

static void say(struct player *p, const char *line)
{
	checker_say(&p->checker, line);
	p->said++;
}

/* What was said before an earlier power cut, as cut() has left it. */
static void say_lines(struct player *p)
{
	FILE *file = fopen(p->lines, "re");
	char *line = NULL;
	size_t room = 0;

	if (!file)
		err(3, "cannot read %s", p->lines);
	while (getline(&line, &room, file) > (ssize_t)strlen("said ")) {
		line[strcspn(line, "\n")] = '\0';
		say(p, line + strlen("said "));
	}
	free(line);
	fclose(file);
}

/* Leave the folder as a cut at this step may leave it, and DIR.said beside it;
 * nobody checks it. */
static void cut(struct player *p, const struct log_record *record)
{
	char path[512];
	FILE *file;

	pick_number(&p->state, PICK_RANDOM, record->number,
		    p->seed ^ (p->step << 32));
	state_compose(&p->state);
	write_to(p, p->cut, p->seed);
	snprintf(path, sizeof(path), "%s.said", p->cut);
	say(p, "cut");
	file = fopen(path, "we");
	if (!file || fputs(p->checker.said, file) < 0 || fclose(file) != 0)
		err(3, "cannot write %s", path);
}

/* At a step of its own choice. */
static void choose_cut(struct player *p)
{
	struct rng rng;

	rng_seed(&rng, p->seed);
	p->only_step = 1 + rng_below(&rng, p->steps);
}

static void play(struct player *p)
{
	const struct log_record *record;
	uint64_t offset = LOG_START;

	while ((record = next_record(p->log, &offset))) {
		if (record->kind == LOG_SAID)
			say(p, (const char *)(record + 1));
		if (!world_apply(&p->world, record))
			continue;
		p->step++;
		state_list(&p->state);
		if (p->only_step == UINT64_MAX)
			visit_step(p, record);
		else if (p->only_step == p->step && p->cut)
			cut(p, record);
		else if (p->only_step == p->step)
			visit_number(p, record, p->only_number);
		if (p->bad && !p->goes_on)
			return;
	}
}

/* The recorder has seen everything, if what we have in the end is there. */
static void compare_end(struct player *p)
{
	int dir = open(p->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char why[512];

	if (dir < 0)
		err(3, "cannot open %s", p->folder);
	state_list(&p->state);
	pick_number(&p->state, PICK_ALL, 0, 0);
	state_compose(&p->state);
	if (!state_is_like(&p->state, dir, why, sizeof(why)))
		errx(3, "the recorder has not seen everything: in %s %s",
		     p->folder, why);
	close(dir);
}

/* Without the folder they are zero in the end, too. */
static void load_wild(struct player *p)
{
	int dir = open(p->folder ? p->folder : p->path,
		       O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 && p->folder)
		err(3, "cannot open %s", p->folder);
	state_load_wild(&p->state, dir);
	if (dir >= 0)
		close(dir);
}

/* ---- the command ------------------------------------------------------------- */

/* "12:345" */
static bool scan_pair(const char *text, uint64_t *a, uint64_t *b)
{
	char *end;

	*a = strtoull(text, &end, 10);
	if (end == text || *end != ':')
		return false;
	text = end + 1;
	*b = strtoull(text, &end, 10);
	return end != text && *end == '\0';
}

static void add_wild(const char *text, void *where)
{
	struct state *state = where;
	struct state_wild *wild = &state->wild[state->n_wild];
	size_t len = strcspn(text, ":");

	if (state->n_wild == STATE_WILD || text[len] != ':' ||
	    len >= sizeof(wild->name) ||
	    !scan_pair(text + len + 1, &wild->offset, &wild->len))
		die_usage("--wild=%s: accepted is NAME:OFFSET:LENGTH, %d times",
			  text, STATE_WILD);
	memcpy(wild->name, text, len);
	state->n_wild++;
}

static void check_arguments(struct player *p)
{
	if (p->only && !scan_pair(p->only, &p->only_step, &p->only_number))
		die_usage("--only=%s: accepted is STEP:NUMBER", p->only);
	if (!p->without)
		return;
	p->world.lies_of_files = strcmp(p->without, "folder-syncs") != 0;
	p->world.lies_of_names = !p->world.lies_of_files;
	if (p->world.lies_of_files && strcmp(p->without, "file-syncs") != 0)
		die_usage("--without=%s: accepted are file-syncs and "
			  "folder-syncs",
			  p->without);
}

int main(int argc, char **argv)
{
	static struct player p = {
		.states = 1000, .seed = 1, .only_step = UINT64_MAX};
	const struct cli_option options[] = {
		CLI_COUNT("states", 'n', "N", &p.states, 1, 1000000000,
			  "About how many states are checked (default 1000)"),
		CLI_COUNT("seed", 's', "N", &p.seed, 0, UINT64_MAX,
			  "Of what is random (default 1)"),
		CLI_TEXT("only", 'o', "STEP:NUMBER", &p.only,
			 "One state, as a bad one was named"),
		CLI_TEXT("keep", 'k', "DIR", &p.keep,
			 "Where the first bad state is left"),
		CLI_TEXT("folder", 'f', "DIR", &p.folder,
			 "Compare the end with what was recorded there"),
		CLI_CALL("wild", 'w', "NAME:OFFSET:LENGTH", add_wild, &p.state,
			 "Bytes that are written through a mapping"),
		CLI_TEXT("without", 0, "WORD", &p.without,
			 "As if file-syncs, or folder-syncs, did nothing"),
		CLI_TEXT("cut", 0, "DIR", &p.cut,
			 "Leave there what one cut leaves, and check nothing"),
		CLI_TEXT("said", 0, "FILE", &p.lines,
			 "DIR.said of --cut: there was a cut before"),
		CLI_ON("all", 'a', &p.goes_on, "Go on after a bad state"),
		{0},
	};
	char **checker = NULL;
	const struct cli_command command = {
		.doc = "Check every state that a power cut could leave."
		       "\vExample: play --folder=db log -- ./my-checker",
		.operands = "LOG -- CHECKER [ARGUMENT...]",
		.most = 1,
		.options = options,
		.behind = &checker,
	};
	int64_t start = tick_now();

	if (cli_parse(&command, argc, argv) != 1 || !checker || !*checker)
		die_usage("give a log, --, and a checker");
	check_arguments(&p);
	p.state.world = &p.world;
	p.log = map_log(argv[1]);
	checker_init(&p.checker, checker);
	make_scratch(&p);
	load_wild(&p);
	count_steps(&p);
	if (p.lines)
		say_lines(&p);
	if (p.cut)
		choose_cut(&p);
	play(&p);
	if (p.folder && !p.cut && (!p.bad || p.goes_on))
		compare_end(&p);
	checker_fini(&p.checker);
	if (!p.cut)
		printf("%" PRIu64 " states of %" PRIu64 " steps, %" PRIu64
		       " bad (%.0f states/s)\n",
		       p.checked, p.step, p.bad,
		       (double)p.checked * 1e9 / (double)(tick_now() - start));
	world_fini(&p.world);
	state_fini(&p.state);
	known_fini(&p.known);
	return p.bad ? 1 : 0;
}
