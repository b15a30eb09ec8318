/* The cache between processes: promises, deaths, successors, and those who
 * scribble. CLOCK_BOOTTIME is the test's own, so that nothing has to sleep. */
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/crc32c.h"
#include "lib/objname.h"
#include "lib/rng.h"
#include "lib/tick.h"
#include "p18-rpc-kv/cache_object.h"
#include "tests/support/leftover.h"

#define PATIENCE (20 * TICK_S)

static const struct cache_promise stale = {-1, 0};

/* ---- the clock ---- */

static int64_t clock_ns = 1000 * TICK_S; /* stands still, if pass_ms() does */

/* Called once, when it is looked at next. */
static void (*at_look)(void *);
static void *at_look_arg;

int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);

int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
	void (*hook)(void *) = at_look;

	if (id != CLOCK_BOOTTIME)
		return __real_clock_gettime(id, now);
	*now = tick_to_timespec(clock_ns);
	at_look = NULL;
	if (hook)
		hook(at_look_arg);
	return 0;
}

static void pass_ms(int64_t ms)
{
	clock_ns += ms * TICK_MS;
}

/* ---- the turnstile, while a table is made ---- */

static sem_t *watched; /* NULL: none */
static int value_while_making = -1;

int __real_cache_object_make(const char *name, size_t slots,
			     struct cache_map *map);
int __wrap_cache_object_make(const char *name, size_t slots,
			     struct cache_map *map);

int __wrap_cache_object_make(const char *name, size_t slots,
			     struct cache_map *map)
{
	if (watched)
		sem_getvalue(watched, &value_while_making);
	return __real_cache_object_make(name, slots, map);
}

/* ---- a server and a client in one process ---- */

struct fixture {
	struct leftover before;
	int fds;
	int ready; /* of a child, to write to */
	uint16_t port;
	char name[CACHE_NAME_MAX];
	struct cache_options options;
	struct cache *cache;
	struct cache_reader *reader;
	struct cache_value value;
};

/* Nothing of it is there yet. */
static void prepare(struct fixture *f)
{
	*f = (struct fixture){.before = leftover_count(),
			      .fds = support_count_fds()};
	f->port = (uint16_t)(10000 + getpid() % 50000);
	cache_name(f->name, geteuid(), f->port);
	f->options = (struct cache_options){.port = f->port,
					    .server = 3,
					    .cluster = "one cluster",
					    .slots = 64};
}

static void create(struct fixture *f)
{
	assert_int_equal(cache_create(&f->cache, &f->options), 0);
	assert_int_equal(cache_note(f->cache, 1, cache_now()), 0);
}

static int open_reader(struct fixture *f)
{
	return cache_open(&f->reader, geteuid(), f->port, tick_after(PATIENCE));
}

static void begin(struct fixture *f)
{
	prepare(f);
	create(f);
	assert_int_equal(open_reader(f), 0);
}

static void end(struct fixture *f)
{
	cache_close(f->reader);
	cache_remove(f->cache);
	leftover_assert_same(&f->before);
	assert_int_equal(support_count_fds(), f->fds);
}

static void put(struct fixture *f, const char *key, const char *value,
		uint64_t revision)
{
	cache_put(f->cache, key, strlen(key), value, strlen(value), revision);
}

static int get_if(struct fixture *f, const char *key,
		  struct cache_promise promise)
{
	return cache_get(f->reader, key, strlen(key), &promise, &f->value);
}

static int get(struct fixture *f, const char *key)
{
	return get_if(f, key, stale);
}

static void assert_value(struct fixture *f, const char *key, const char *value,
			 uint64_t revision)
{
	assert_int_equal(get(f, key), 0);
	assert_int_equal(f->value.len, strlen(value));
	assert_memory_equal(f->value.bytes, value, strlen(value));
	assert_int_equal(f->value.revision, revision);
}

/* ---- keys ---- */

static void what_was_put_last_is_read(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(get(&f, "key"), -ENOENT);
	put(&f, "key", "value", 7);
	assert_value(&f, "key", "value", 7);
	put(&f, "key", "", 8);
	assert_value(&f, "key", "", 8);
	put(&f, "key", "newer", 9);
	assert_value(&f, "key", "newer", 9);
	/* Read again by somebody: the same. */
	put(&f, "key", "newer", 9);
	assert_value(&f, "key", "newer", 9);
	assert_int_equal(get(&f, ""), -EINVAL);
	end(&f);
}

static void what_was_deleted_is_not_here(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	put(&f, "a", "1", 1);
	put(&f, "b", "2", 2);
	cache_del(f.cache, "a", 1);
	cache_del(f.cache, "never there", 11);
	assert_int_equal(get(&f, "a"), -ENOENT);
	assert_value(&f, "b", "2", 2);
	cache_clear(f.cache);
	assert_int_equal(get(&f, "b"), -ENOENT);
	put(&f, "a", "3", 3);
	assert_value(&f, "a", "3", 3);
	end(&f);
}

static void a_value_that_grew_too_large_takes_the_old_one_away(void **state)
{
	static const char large[CACHE_ROOM - 7];
	struct fixture f;

	(void)state;
	begin(&f);
	put(&f, "key", "small", 1);
	cache_put(f.cache, "key", 3, large, sizeof(large), 2);
	assert_int_equal(get(&f, "key"), -ENOENT);
	cache_put(f.cache, "key", 3, large, sizeof(large) - 1, 3);
	assert_int_equal(get(&f, "key"), 0);
	assert_int_equal(f.value.len, CACHE_ROOM - 8);
	end(&f);
}

/* As many keys as there are slots and more: some leave, none is another's. */
static void keys_used_lately_stay(void **state)
{
	char key[16], value[16];
	struct cache_stat stat;
	struct fixture f;
	int here = 0;

	(void)state;
	prepare(&f);
	f.options.slots_max = f.options.slots;
	create(&f);
	assert_int_equal(open_reader(&f), 0);
	for (uint64_t i = 1; i <= 1000; i++) {
		snprintf(key, sizeof(key), "key %d", (int)i);
		snprintf(value, sizeof(value), "value %d", (int)i);
		put(&f, "hot", "always", 1001);
		put(&f, key, value, i);
	}
	for (uint64_t i = 1; i <= 1000; i++) {
		snprintf(key, sizeof(key), "key %d", (int)i);
		snprintf(value, sizeof(value), "value %d", (int)i);
		if (get(&f, key) == 0) {
			assert_value(&f, key, value, i);
			here++;
		}
	}
	assert_value(&f, "hot", "always", 1001);
	/* All slots are in use, and the hot key never left its own. */
	assert_int_equal(here, 63);
	cache_stat(f.cache, &stat);
	assert_int_equal(stat.puts, 1001);
	assert_int_equal(stat.used, 64);
	assert_int_equal(stat.evictions, 1001 - 64);
	end(&f);
}

/* ---- promises ---- */

static void a_bounded_read_is_no_older_than_its_bound(void **state)
{
	struct cache_promise bounded = {100, 0};
	struct fixture f;

	(void)state;
	begin(&f);
	put(&f, "key", "value", 1);
	assert_int_equal(cache_note(f.cache, 1, cache_now()), 0);
	pass_ms(100);
	assert_int_equal(get_if(&f, "key", bounded), 0);
	assert_int_equal(f.value.age_ms, 100);
	clock_ns++;
	assert_int_equal(get_if(&f, "key", bounded), -ETIMEDOUT);
	assert_int_equal(get(&f, "key"), 0);
	assert_int_equal(f.value.age_ms, 101);
	/* A server that goes on, but hears no leader. */
	assert_int_equal(cache_note(f.cache, 1, cache_now() - 200 * TICK_MS),
			 0);
	assert_int_equal(get_if(&f, "key", bounded), -ETIMEDOUT);
	bounded.bound_ms = 250;
	assert_int_equal(get_if(&f, "key", bounded), 0);
	assert_int_equal(cache_note(f.cache, 1, 0), 0);
	bounded.bound_ms = INT64_MAX;
	assert_int_equal(get_if(&f, "key", bounded), -ETIMEDOUT);
	assert_int_equal(get(&f, "key"), 0);
	assert_int_equal(f.value.age_ms, -1);
	end(&f);
}

static void a_session_reads_what_it_wrote(void **state)
{
	struct cache_promise session = {-1, 5};
	struct fixture f;

	(void)state;
	begin(&f);
	put(&f, "key", "value", 3);
	assert_int_equal(cache_note(f.cache, 4, cache_now()), 0);
	assert_int_equal(get_if(&f, "key", session), -ETIMEDOUT);
	assert_int_equal(cache_note(f.cache, 5, cache_now()), 0);
	assert_int_equal(get_if(&f, "key", session), 0);
	assert_int_equal(f.value.applied, 5);
	end(&f);
}

/* A server that is stopped says nothing any more, and its lock stays. */
static void a_silent_server_is_not_believed(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	put(&f, "key", "value", 1);
	assert_int_equal(cache_note(f.cache, 1, cache_now()), 0);
	pass_ms(CACHE_SILENCE_MS);
	assert_int_equal(get(&f, "key"), 0);
	clock_ns++;
	assert_int_equal(get(&f, "key"), -ETIMEDOUT);
	assert_int_equal(cache_note(f.cache, 1, cache_now()), 0);
	assert_int_equal(get(&f, "key"), 0);
	end(&f);
}

static void put_newer(void *arg)
{
	struct fixture *f = arg;

	put(f, "key", "newer", 2);
	cache_note(f->cache, 2, cache_now());
}

/* Who is stopped between copy and look would believe an old value otherwise. */
static void the_clock_is_read_after_the_copy(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	put(&f, "key", "older", 1);
	assert_int_equal(cache_note(f.cache, 1, cache_now()), 0);
	at_look_arg = &f;
	at_look = put_newer;
	assert_value(&f, "key", "older", 1);
	assert_int_equal(f.value.applied, 1);
	assert_value(&f, "key", "newer", 2);
	assert_int_equal(f.value.applied, 2);
	end(&f);
}

/* ---- a server that writes, in a process of its own ---- */

enum { VALUE = 256 };

static void make_value(unsigned char value[VALUE], uint64_t revision)
{
	struct rng rng;

	rng_seed(&rng, revision);
	rng_fill(&rng, value, VALUE);
}

static int write_always(void *arg)
{
	const struct fixture *f = arg;
	unsigned char value[VALUE];
	struct cache *cache;
	char byte = 0;

	if (cache_create(&cache, &f->options))
		return 1;
	for (uint64_t revision = 1;; revision++) {
		make_value(value, revision);
		cache_put(cache, "key", 3, value, VALUE, revision);
		cache_note(cache, revision, cache_now());
		if (revision == 1 && write(f->ready, &byte, 1) != 1)
			return 1;
	}
}

static pid_t start_writer(struct fixture *f)
{
	struct fixture child = *f;
	pid_t pid = support_start(write_always, &child, &child.ready, 10000);

	assert_int_equal(open_reader(f), 0);
	return pid;
}

/* One read, which must be whole, newer than the last, and of a store that is
 * no newer than the value: each revision writes this key. */
static int read_one(struct fixture *f, uint64_t *last)
{
	unsigned char wanted[VALUE];
	int error = get(f, "key");

	if (error)
		return error;
	make_value(wanted, f->value.revision);
	assert_int_equal(f->value.len, VALUE);
	assert_memory_equal(f->value.bytes, wanted, VALUE);
	assert_true(f->value.revision >= *last);
	assert_true(f->value.revision >= f->value.applied);
	*last = f->value.revision;
	return 0;
}

static void no_read_is_torn_and_none_goes_back(void **state)
{
	const uint64_t wanted = support_is_stress()     ? 100000000
				: support_is_valgrind() ? 50000
							: 500000;
	int64_t deadline =
		tick_after(60 * TICK_S * (wanted > 1000000 ? 60 : 1));
	uint64_t last = 0, reads = 0;
	struct fixture f;
	pid_t pid;

	(void)state;
	prepare(&f);
	pid = start_writer(&f);
	while (reads < wanted) {
		int error = read_one(&f, &last);

		assert_true(error == 0 || error == -EAGAIN);
		reads += error == 0;
		assert_false(tick_is_over(deadline));
	}
	assert_true(last > 1000);
	support_kill(&pid);
	cache_close(f.reader);
	f.reader = NULL;
	create(&f);
	end(&f);
}

/* ---- deaths ---- */

static void a_killed_server_is_found_dead_and_its_successor_takes_over(
	void **state)
{
	struct cache_identity before, after;
	struct fixture f;

	(void)state;
	prepare(&f);
	for (int i = 0; i < 30; i++) {
		pid_t pid = start_writer(&f);
		uint64_t last = 0;
		int64_t begun;

		cache_identify(f.reader, &before);
		assert_int_equal(before.server, 3);
		assert_string_equal((char *)before.cluster, "one cluster");
		for (int reads = 0; reads < 50 * i; reads++)
			read_one(&f, &last);
		support_kill(&pid);
		/* At most so often is the kernel asked. */
		pass_ms(CACHE_ASK_MS);
		begun = tick_now();
		assert_int_equal(read_one(&f, &last), -EOWNERDEAD);
		assert_true(tick_now() - begun < TICK_S);
		assert_int_equal(get(&f, "key"), -EOWNERDEAD);
		cache_close(f.reader);
		/* Nobody comes to it any more. */
		assert_int_equal(open_reader(&f), -EOWNERDEAD);
	}
	create(&f);
	assert_int_equal(open_reader(&f), 0);
	cache_identify(f.reader, &after);
	assert_int_not_equal(before.epoch, after.epoch);
	assert_int_equal(get(&f, "key"), -ENOENT);
	end(&f);
}

static void a_reader_of_a_dead_server_is_not_misled_by_its_successor(
	void **state)
{
	struct fixture f;
	pid_t pid;

	(void)state;
	prepare(&f);
	pid = start_writer(&f);
	support_kill(&pid);
	create(&f);
	put(&f, "key", "of another", 1);
	assert_int_equal(get(&f, "other key"), -ENOENT);
	pass_ms(CACHE_ASK_MS);
	assert_int_equal(get(&f, "key"), -EOWNERDEAD);
	end(&f);
}

static void a_stopped_server_answers_no_bounded_read_later(void **state)
{
	struct cache_promise bounded = {100, 0};
	struct fixture f;
	uint64_t last = 0;
	int status;
	pid_t pid;

	(void)state;
	prepare(&f);
	pid = start_writer(&f);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	for (int ms = 0; ms < 5000; ms += 50) {
		pass_ms(50);
		assert_int_not_equal(get_if(&f, "key", bounded), -EOWNERDEAD);
		if (ms >= 100)
			assert_int_not_equal(get_if(&f, "key", bounded), 0);
		if (ms > CACHE_SILENCE_MS)
			assert_int_not_equal(read_one(&f, &last), 0);
	}
	support_kill(&pid);
	cache_close(f.reader);
	f.reader = NULL;
	create(&f);
	end(&f);
}

static void a_server_that_ends_says_so(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	put(&f, "key", "value", 1);
	cache_remove(f.cache);
	f.cache = NULL;
	assert_int_equal(get(&f, "key"), -ESTALE);
	cache_close(f.reader);
	f.reader = NULL;
	assert_int_equal(open_reader(&f), -ENOENT);
	end(&f);
}

static void a_living_server_keeps_its_name(void **state)
{
	struct cache *other;
	struct fixture f;

	(void)state;
	begin(&f);
	put(&f, "key", "value", 1);
	assert_int_equal(cache_create(&other, &f.options), -EBUSY);
	assert_value(&f, "key", "value", 1);
	end(&f);
}

/* ---- tables ---- */

static void a_name_that_was_taken_away_is_made_anew(void **state)
{
	struct cache_stat stat;
	struct fixture f;

	(void)state;
	begin(&f);
	put(&f, "key", "value", 1);
	assert_int_equal(shm_unlink(f.name), 0);
	assert_value(&f, "key", "value", 1);
	pass_ms(1000);
	assert_int_equal(cache_note(f.cache, 1, cache_now()), 0);
	assert_int_equal(get(&f, "key"), -ESTALE);
	cache_close(f.reader);
	assert_int_equal(open_reader(&f), 0);
	put(&f, "key", "value", 1);
	assert_value(&f, "key", "value", 1);
	cache_stat(f.cache, &stat);
	assert_int_equal(stat.tables, 2);
	end(&f);
}

/* A server that has none left takes its name for another's no more than before. */
static void without_descriptors_it_goes_on_and_leaves_nothing(void **state)
{
	struct rlimit before, none;
	struct fixture f;

	(void)state;
	begin(&f);
	put(&f, "key", "value", 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	pass_ms(1000);
	assert_int_equal(cache_note(f.cache, 1, cache_now()), 0);
	assert_value(&f, "key", "value", 1);
	cache_remove(f.cache);
	f.cache = NULL;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	end(&f);
}

static void a_name_that_another_took_is_left_to_it(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	begin(&f);
	put(&f, "key", "value", 1);
	assert_int_equal(shm_unlink(f.name), 0);
	fd = shm_open(f.name, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(
		fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK}), 0);
	pass_ms(1000);
	assert_int_equal(cache_note(f.cache, 1, cache_now()), -EBUSY);
	/* Who is inside is served. */
	assert_value(&f, "key", "value", 1);
	close(fd);
	pass_ms(1000);
	assert_int_equal(cache_note(f.cache, 1, cache_now()), 0);
	assert_int_equal(get(&f, "key"), -ESTALE);
	end(&f);
}

static void a_table_grows_when_keys_in_use_had_to_leave(void **state)
{
	struct cache_stat stat;
	struct fixture f;
	uint64_t revision = 0;
	char key[16];

	(void)state;
	prepare(&f);
	f.options.slots = 8;
	f.options.slots_max = 32;
	create(&f);
	assert_int_equal(open_reader(&f), 0);
	for (int second = 0; second < 4; second++) {
		for (int i = 0; i < 200; i++) {
			snprintf(key, sizeof(key), "%d", i);
			put(&f, key, "x", ++revision);
		}
		pass_ms(1000);
		assert_int_equal(cache_note(f.cache, 1, cache_now()), 0);
	}
	cache_stat(f.cache, &stat);
	assert_int_equal(stat.slots, 32);
	assert_int_equal(stat.tables, 3);
	assert_int_equal(get(&f, "199"), -ESTALE);
	cache_close(f.reader);
	assert_int_equal(open_reader(&f), 0);
	put(&f, "199", "y", 1000);
	assert_value(&f, "199", "y", 1000);
	end(&f);
}

/* ---- those who come ---- */

static int open_and_say(void *arg)
{
	const struct fixture *f = arg;
	struct cache_reader *reader;
	char byte = 0;
	int error;

	if (write(f->ready, &byte, 1) != 1)
		return 100;
	error = cache_open(&reader, geteuid(), f->port, tick_after(PATIENCE));
	if (!error)
		cache_close(reader);
	return -error;
}

static bool is_asleep(void *arg)
{
	char path[64], line[256], *end;
	FILE *file;
	bool is = false;

	snprintf(path, sizeof(path), "/proc/%d/stat", *(pid_t *)arg);
	file = fopen(path, "re");
	if (file && fgets(line, sizeof(line), file)) {
		end = strrchr(line, ')');
		is = end && end[1] == ' ' && end[2] == 'S';
	}
	if (file)
		fclose(file);
	return is;
}

static pid_t start_waiting(struct fixture *f)
{
	struct fixture child = *f;
	pid_t pid = support_start(open_and_say, &child, &child.ready, 10000);

	assert_true(support_wait_until(is_asleep, &pid, 10000));
	return pid;
}

static void who_comes_early_waits_at_the_gate(void **state)
{
	struct fixture f;
	int status;
	sem_t *turnstile;
	pid_t pid;

	(void)state;
	prepare(&f);
	turnstile = sem_open(f.name, O_CREAT | O_EXCL, 0600, 0);
	assert_ptr_not_equal(turnstile, SEM_FAILED);
	assert_int_equal(cache_open(&f.reader, geteuid(), f.port,
				    tick_after(20 * TICK_MS)),
			 -ETIMEDOUT);
	pid = start_waiting(&f);
	/* The turnstile of a dead server: this one makes the table and unlocks
	 * it. */
	create(&f);
	assert_int_equal(child_wait(pid, tick_after(PATIENCE), &status), 0);
	assert_int_equal(child_exit_code(status), 0);
	sem_close(turnstile);
	end(&f);
}

static void who_waits_at_the_gate_goes_when_it_is_over(void **state)
{
	struct fixture f;
	int status;
	sem_t *turnstile;
	pid_t pid;

	(void)state;
	prepare(&f);
	create(&f);
	turnstile = sem_open(f.name, 0);
	assert_ptr_not_equal(turnstile, SEM_FAILED);
	assert_int_equal(sem_trywait(turnstile), 0);
	pid = start_waiting(&f);
	cache_remove(f.cache);
	f.cache = NULL;
	assert_int_equal(child_wait(pid, tick_after(PATIENCE), &status), 0);
	assert_int_equal(child_exit_code(status), ENOENT);
	sem_close(turnstile);
	end(&f);
}

static void a_client_that_dies_in_the_gate_shuts_nobody_out(void **state)
{
	struct fixture f;
	sem_t *turnstile;

	(void)state;
	prepare(&f);
	create(&f);
	turnstile = sem_open(f.name, 0);
	assert_ptr_not_equal(turnstile, SEM_FAILED);
	assert_int_equal(sem_trywait(turnstile), 0);
	assert_int_equal(cache_open(&f.reader, geteuid(), f.port,
				    tick_after(20 * TICK_MS)),
			 -ETIMEDOUT);
	pass_ms(1000);
	assert_int_equal(cache_note(f.cache, 1, cache_now()), 0);
	assert_int_equal(open_reader(&f), 0);
	sem_close(turnstile);
	end(&f);
}

static void the_gate_is_shut_while_a_table_is_made(void **state)
{
	struct fixture f;
	int value;

	(void)state;
	begin(&f);
	watched = sem_open(f.name, 0);
	assert_ptr_not_equal(watched, SEM_FAILED);
	/* However often somebody opens it. */
	for (int i = 0; i < 1000; i++)
		sem_post(watched);
	assert_int_equal(shm_unlink(f.name), 0);
	pass_ms(1000);
	assert_int_equal(cache_note(f.cache, 1, cache_now()), 0);
	assert_int_equal(value_while_making, 0);
	assert_int_equal(sem_getvalue(watched, &value), 0);
	assert_int_equal(value, 1);
	sem_close(watched);
	watched = NULL;
	end(&f);
}

static void what_is_half_made_is_not_entered(void **state)
{
	struct cache_map map = {0};
	struct fixture f;
	int fd;

	(void)state;
	prepare(&f);
	fd = cache_object_make(f.name, 64, &map);
	assert_true(fd >= 0);
	assert_int_equal(cache_open(&f.reader, geteuid(), f.port,
				    tick_after(5 * TICK_MS)),
			 -ETIMEDOUT);
	cache_object_unmap(&map);
	close(fd);
	assert_int_equal(open_reader(&f), -EOWNERDEAD);
	create(&f);
	assert_int_equal(open_reader(&f), 0);
	end(&f);
}

/* ---- lies ---- */

/* The object as another process of this user may write it. */
static struct cache_super *map_to_scribble(struct fixture *f, size_t *bytes)
{
	int fd = shm_open(f->name, O_RDWR, 0);
	struct stat st;
	void *base;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*bytes = (size_t)st.st_size;
	base = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(base, MAP_FAILED);
	close(fd);
	return base;
}

static void a_head_that_no_server_writes_is_refused(void **state)
{
	struct cache_super *super, right;
	struct fixture f;
	size_t bytes;

	(void)state;
	prepare(&f);
	create(&f);
	super = map_to_scribble(&f, &bytes);
	right = *super;
	super->magic ^= 1;
	assert_int_equal(open_reader(&f), -EBADMSG);
	*super = right;
	super->version++;
	assert_int_equal(open_reader(&f), -EBADMSG);
	*super = right;
	super->slot_bytes = 512;
	assert_int_equal(open_reader(&f), -EBADMSG);
	for (uint64_t slots = 0; slots < 200; slots++) {
		*super = right;
		super->slots = slots;
		assert_int_equal(open_reader(&f), slots == 64 ? 0 : -EBADMSG);
	}
	cache_close(f.reader);
	super->slots = UINT64_C(1) << 63;
	assert_int_equal(open_reader(&f), -EBADMSG);
	*super = right;
	super->time_namespace++;
	assert_int_equal(open_reader(&f), -EXDEV);
	*super = right;
	super->net_namespace++;
	assert_int_equal(open_reader(&f), -EXDEV);
	*super = right;
	assert_int_equal(open_reader(&f), 0);
	super->state = 77;
	assert_int_equal(get(&f, "key"), -EBADMSG);
	munmap(super, bytes);
	end(&f);
}

static void moments_that_cannot_be_are_not_believed(void **state)
{
	static const int64_t moments[] = {INT64_MIN, -1, 0, INT64_MAX};
	const struct cache_promise bounded = {INT64_MAX, 0};
	struct cache_super *super;
	struct fixture f;
	size_t bytes;

	(void)state;
	begin(&f);
	put(&f, "key", "value", 1);
	super = map_to_scribble(&f, &bytes);
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		super->known_at_ns = moments[i];
		assert_int_equal(get_if(&f, "key", bounded), -ETIMEDOUT);
		assert_int_equal(get(&f, "key"), 0);
	}
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		super->noted_at_ns = moments[i];
		assert_int_equal(get(&f, "key"), -ETIMEDOUT);
	}
	munmap(super, bytes);
	end(&f);
}

/* Reader and server go on over anything; and the server's next writes are right
 * again, as it believes nothing that lies there. */
static void who_scribbles_harms_nobody_else(void **state)
{
	unsigned char *base;
	struct fixture f;
	struct rng rng;
	size_t bytes;
	char key[8];

	(void)state;
	begin(&f);
	rng_seed(&rng, 18);
	base = (unsigned char *)map_to_scribble(&f, &bytes);
	for (int round = 0; round < 2000; round++) {
		size_t at = rng_below(&rng, bytes);
		size_t len = 1 + rng_below(&rng, 2000);

		snprintf(key, sizeof(key), "%d", round % 100);
		put(&f, key, "scribbled over", (uint64_t)round);
		rng_fill(&rng, base + at, len < bytes - at ? len : bytes - at);
		for (int i = 0; i < 20; i++) {
			snprintf(key, sizeof(key), "%d",
				 (int)rng_below(&rng, 100));
			if (get(&f, key) == 0)
				assert_true(f.value.len <= CACHE_ROOM);
		}
	}
	((struct cache_super *)base)->state = CACHE_SERVING;
	assert_int_equal(cache_note(f.cache, 2000, cache_now()), 0);
	put(&f, "after", "it is right", 2001);
	assert_value(&f, "after", "it is right", 2001);
	munmap(base, bytes);
	end(&f);
}

static void who_else_may_write_it_is_not_believed(void **state)
{
	char path[sizeof("/dev/shm") + CACHE_NAME_MAX];
	struct fixture f;
	struct stat st;

	(void)state;
	prepare(&f);
	create(&f);
	snprintf(path, sizeof(path), "/dev/shm%s", f.name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(chmod(path, 0660), 0);
	assert_int_equal(open_reader(&f), -EACCES);
	assert_int_equal(chmod(path, 0642), 0);
	assert_int_equal(open_reader(&f), -EACCES);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(open_reader(&f), 0);
	/* That user's is asked for by that user's name. */
	assert_int_equal(cache_open(&f.reader, geteuid() + 1, f.port,
				    tick_after(PATIENCE)),
			 -ENOENT);
	end(&f);
}

static void what_another_user_put_there_is_refused(void **state)
{
	char path[sizeof("/dev/shm") + CACHE_NAME_MAX];
	struct fixture f;

	(void)state;
	support_need_second_user();
	prepare(&f);
	create(&f);
	snprintf(path, sizeof(path), "/dev/shm%s", f.name);
	assert_int_equal(chown(path, 12345, 12345), 0);
	assert_int_equal(open_reader(&f), -EACCES);
	cache_remove(f.cache);
	f.cache = NULL;
	close(shm_open(f.name, O_RDWR | O_CREAT, 0666));
	assert_int_equal(chown(path, 12345, 12345), 0);
	assert_int_equal(cache_create(&f.cache, &f.options), -EACCES);
	assert_int_equal(unlink(path), 0);
	end(&f);
}

/* Under our user and our name, and yet of another program: it stays, bytes and
 * inode. */
static void what_another_program_put_there_stays(void **state)
{
	static const char theirs[] = "of another program";
	char read_back[sizeof(theirs)] = "";
	struct fixture f;
	struct stat before, after;
	int fd;

	(void)state;
	prepare(&f);
	fd = shm_open(f.name, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_int_equal(write(fd, theirs, sizeof(theirs)), sizeof(theirs));
	assert_int_equal(fstat(fd, &before), 0);
	close(fd);
	assert_int_equal(cache_create(&f.cache, &f.options), -EACCES);
	fd = shm_open(f.name, O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &after), 0);
	assert_true(before.st_ino == after.st_ino);
	assert_int_equal(read(fd, read_back, sizeof(theirs)), sizeof(theirs));
	assert_string_equal(read_back, theirs);
	close(fd);
	assert_int_equal(shm_unlink(f.name), 0);
	/* What was killed before it had bytes, or before they said anything,
	 * is nobody's, and is replaced. */
	for (off_t bytes = 0; bytes <= 4096; bytes += 4096) {
		fd = shm_open(f.name, O_RDWR | O_CREAT | O_EXCL, 0600);
		assert_int_equal(ftruncate(fd, bytes), 0);
		close(fd);
		create(&f);
		cache_remove(f.cache);
		f.cache = NULL;
	}
	end(&f);
}

static void nobody_waits_at_another_users_gate(void **state)
{
	char path[sizeof("/dev/shm/sem.") + CACHE_NAME_MAX];
	struct fixture f;

	(void)state;
	support_need_second_user();
	prepare(&f);
	snprintf(path, sizeof(path), "/dev/shm/sem.%.*s", CACHE_NAME_MAX,
		 f.name + 1);
	sem_close(sem_open(f.name, O_CREAT | O_EXCL, 0666, 0));
	assert_int_equal(chown(path, 12345, 12345), 0);
	create(&f);
	assert_int_equal(cache_open(&f.reader, geteuid(), f.port,
				    tick_after(100 * TICK_MS)),
			 0);
	cache_close(f.reader);
	f.reader = NULL;
	cache_remove(f.cache);
	f.cache = NULL;
	assert_int_equal(unlink(path), 0);
	end(&f);
}

static void what_is_no_object_is_refused(void **state)
{
	char path[sizeof("/dev/shm") + CACHE_NAME_MAX];
	struct fixture f;

	(void)state;
	prepare(&f);
	snprintf(path, sizeof(path), "/dev/shm%s", f.name);
	assert_int_equal(open_reader(&f), -ENOENT);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(open_reader(&f), -EACCES);
	assert_int_equal(cache_create(&f.cache, &f.options), -EACCES);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(open_reader(&f), -EACCES);
	assert_int_equal(cache_create(&f.cache, &f.options), -EACCES);
	assert_int_equal(unlink(path), 0);
	end(&f);
}

static void count(void *arg)
{
	++*(int *)arg;
}

/* Whether the ledger has an entry of this name, of either kind. */
static bool is_in_ledger(const char *name)
{
	struct objname_entry entry;

	return objname_find(OBJNAME_SHM, name, &entry) != -ENOENT ||
	       objname_find(OBJNAME_SEM, name, &entry) != -ENOENT;
}

/* Commands do, and are told when there is something to be noted. */
static void the_library_writes_no_ledger_and_says_what_it_made(void **state)
{
	struct fixture f;
	int made = 0;

	(void)state;
	prepare(&f);
	f.options.made = count;
	f.options.arg = &made;
	create(&f);
	assert_int_equal(made, 1);
	assert_false(is_in_ledger(f.name));
	pass_ms(1000);
	assert_int_equal(cache_note(f.cache, 1, cache_now()), 0);
	assert_int_equal(made, 1);
	assert_int_equal(shm_unlink(f.name), 0);
	pass_ms(1000);
	assert_int_equal(cache_note(f.cache, 1, cache_now()), 0);
	assert_int_equal(made, 2);
	assert_false(is_in_ledger(f.name));
	end(&f);
}

static void options_out_of_range_are_refused(void **state)
{
	struct fixture f;

	(void)state;
	prepare(&f);
	f.options.port = 0;
	assert_int_equal(cache_create(&f.cache, &f.options), -EINVAL);
	f.options.port = f.port;
	f.options.mode = 0660;
	assert_int_equal(cache_create(&f.cache, &f.options), -EINVAL);
	f.options.mode = 0;
	f.options.slots = SIZE_MAX;
	assert_int_equal(cache_create(&f.cache, &f.options), -EINVAL);
	cache_remove(NULL);
	cache_close(NULL);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_last_is_read),
		cmocka_unit_test(what_was_deleted_is_not_here),
		cmocka_unit_test(
			a_value_that_grew_too_large_takes_the_old_one_away),
		cmocka_unit_test(keys_used_lately_stay),
		cmocka_unit_test(a_bounded_read_is_no_older_than_its_bound),
		cmocka_unit_test(a_session_reads_what_it_wrote),
		cmocka_unit_test(a_silent_server_is_not_believed),
		cmocka_unit_test(the_clock_is_read_after_the_copy),
		cmocka_unit_test(no_read_is_torn_and_none_goes_back),
		cmocka_unit_test(
			a_killed_server_is_found_dead_and_its_successor_takes_over),
		cmocka_unit_test(
			a_reader_of_a_dead_server_is_not_misled_by_its_successor),
		cmocka_unit_test(
			a_stopped_server_answers_no_bounded_read_later),
		cmocka_unit_test(a_server_that_ends_says_so),
		cmocka_unit_test(a_living_server_keeps_its_name),
		cmocka_unit_test(a_name_that_was_taken_away_is_made_anew),
		cmocka_unit_test(
			without_descriptors_it_goes_on_and_leaves_nothing),
		cmocka_unit_test(a_name_that_another_took_is_left_to_it),
		cmocka_unit_test(a_table_grows_when_keys_in_use_had_to_leave),
		cmocka_unit_test(who_comes_early_waits_at_the_gate),
		cmocka_unit_test(who_waits_at_the_gate_goes_when_it_is_over),
		cmocka_unit_test(
			a_client_that_dies_in_the_gate_shuts_nobody_out),
		cmocka_unit_test(the_gate_is_shut_while_a_table_is_made),
		cmocka_unit_test(what_is_half_made_is_not_entered),
		cmocka_unit_test(a_head_that_no_server_writes_is_refused),
		cmocka_unit_test(moments_that_cannot_be_are_not_believed),
		cmocka_unit_test(who_scribbles_harms_nobody_else),
		cmocka_unit_test(who_else_may_write_it_is_not_believed),
		cmocka_unit_test(what_another_user_put_there_is_refused),
		cmocka_unit_test(what_another_program_put_there_stays),
		cmocka_unit_test(nobody_waits_at_another_users_gate),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(
			the_library_writes_no_ledger_and_says_what_it_made),
		cmocka_unit_test(options_out_of_range_are_refused),
	};

	return SUPPORT_MAIN(tests);
}
