/* bench.c - items a second with 3 producers and 2 consumers, threads: ours
 * beside the textbook's buffer and GLib's GAsyncQueue. The sides take turns,
 * and a figure is the median of the ratios trial by trial. Consumers check
 * that every item came, and in order.
 *
 * GAsyncQueue has no bound, and carries pointers: its items lie ready in
 * memory, nothing is allocated for them. Where GLib's headers are not
 * installed, it is left out. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#if __has_include(<glib.h>)
#include <glib.h>
#define HAS_GLIB 1
#else
#define HAS_GLIB 0
#endif

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/measure/rig.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p07-prodcons/bench/textbook.h"
#include "p07-prodcons/bounded.h"

enum {
	TRIALS = 31,
	PRODUCERS = 3,
	CONSUMERS = 2,
	ITEMS = 50000, /* of each producer, in a trial */
	CAPACITY_MAX = 1024,
};

struct side {
	const char *name;
	void (*make)(uint32_t capacity);
	void (*put)(struct textbook_item *item); /* keeps the pointer, maybe */
	void (*take)(struct textbook_item *item);
	void (*drop)(void);
};

/* All items, one more for each consumer to end it. Producer 0 is that. */
static struct textbook_item items[PRODUCERS + 1][ITEMS];

/* ---- ours, for threads and as processes share it ---- */

static struct bounded ours;
static void *ours_memory;

static void make_bounded(uint32_t capacity, bool is_shared)
{
	size_t size = bounded_bytes(capacity, sizeof(struct textbook_item));
	int rc;

	ours_memory = malloc(size);
	if (!ours_memory)
		die("out of memory");
	rc = bounded_init(&ours, ours_memory, capacity,
			  sizeof(struct textbook_item), is_shared);
	if (rc)
		die_errno(rc, "cannot make the buffer");
}

static void make_ours(uint32_t capacity)
{
	make_bounded(capacity, false);
}

static void make_shared(uint32_t capacity)
{
	make_bounded(capacity, true);
}

static void put_ours(struct textbook_item *item)
{
	int rc = bounded_put(&ours, item, TICK_NEVER);

	if (rc)
		die_errno(rc, "cannot put an item");
}

static void take_ours(struct textbook_item *item)
{
	int rc = bounded_take(&ours, item, TICK_NEVER);

	if (rc)
		die_errno(rc, "cannot take an item");
}

static void drop_ours(void)
{
	bounded_fini(&ours);
	free(ours_memory);
}

/* ---- the textbook's ---- */

static struct textbook textbook;

static void make_textbook(uint32_t capacity)
{
	if (textbook_init(&textbook, capacity))
		die("out of memory");
}

static void put_textbook(struct textbook_item *item)
{
	textbook_put(&textbook, item);
}

static void take_textbook(struct textbook_item *item)
{
	textbook_take(&textbook, item);
}

static void drop_textbook(void)
{
	textbook_fini(&textbook);
}

/* ---- GLib's ---- */

#if HAS_GLIB
static GAsyncQueue *queue;

static void make_glib(uint32_t capacity)
{
	(void)capacity;
	queue = g_async_queue_new();
}

static void put_glib(struct textbook_item *item)
{
	g_async_queue_push(queue, item);
}

static void take_glib(struct textbook_item *item)
{
	*item = *(struct textbook_item *)g_async_queue_pop(queue);
}

static void drop_glib(void)
{
	g_async_queue_unref(queue);
}
#endif

enum { OURS, SHARED, TEXTBOOK, GLIB, SIDES = GLIB + HAS_GLIB };

static const struct side sides[] = {
	{"ours", make_ours, put_ours, take_ours, drop_ours},
	{"ours, shared and robust", make_shared, put_ours, take_ours,
	 drop_ours},
	{"textbook", make_textbook, put_textbook, take_textbook, drop_textbook},
#if HAS_GLIB
	{"GAsyncQueue", make_glib, put_glib, take_glib, drop_glib},
#endif
};

/* ---- a trial ---- */

struct worker {
	const struct side *side;
	uint64_t number;
	atomic_uint *producing; /* how many */
	uint64_t taken;
};

/* The last producer ends each consumer. */
static int produce(void *arg, struct rig_gate *gate)
{
	struct worker *worker = arg;
	int error = rig_meet(gate);

	for (uint64_t i = 0; i < ITEMS && !error; i++) {
		struct textbook_item *item = &items[worker->number][i];

		*item = (struct textbook_item){worker->number, i + 1};
		worker->side->put(item);
	}
	if (atomic_fetch_sub(worker->producing, 1) == 1)
		for (int i = 0; i < CONSUMERS; i++)
			worker->side->put(&items[0][i]);
	return error;
}

static int consume(void *arg, struct rig_gate *gate)
{
	uint64_t last[PRODUCERS + 1] = {0};
	struct worker *worker = arg;
	struct textbook_item item;
	int error = rig_meet(gate);

	if (error)
		return error;
	/* Out of order or not, to the end, or the producers would wait. */
	for (;;) {
		worker->side->take(&item);
		if (item.producer == 0)
			return error;
		if (item.producer > PRODUCERS ||
		    item.sequence <= last[item.producer])
			error = -EBADMSG;
		else
			last[item.producer] = item.sequence;
		worker->taken++;
	}
}

/* Items a second. */
static double run(const struct side *side, uint32_t capacity)
{
	atomic_uint producing = PRODUCERS;
	struct worker workers[PRODUCERS + CONSUMERS];
	struct rig_side part[PRODUCERS + CONSUMERS];
	struct rig_result result[PRODUCERS + CONSUMERS];
	const struct rig rig = {.side = part,
				.sides = PRODUCERS + CONSUMERS,
				.has_threads = true,
				.deadline = tick_after(60 * TICK_S),
				.grace_ns = 10 * TICK_S};
	uint64_t taken = 0;
	int error;

	for (uint64_t i = 0; i < rig.sides; i++) {
		workers[i] = (struct worker){
			.side = side, .number = i + 1, .producing = &producing};
		part[i] = (struct rig_side){.body = i < PRODUCERS ? produce
								  : consume,
					    .arg = &workers[i]};
	}
	side->make(capacity);
	error = rig_run(&rig, result);
	if (error == -EBADMSG)
		die("%s: items came out of order", side->name);
	if (error)
		die_errno(error, "%s: a thread did not end well", side->name);
	for (size_t i = PRODUCERS; i < rig.sides; i++)
		taken += workers[i].taken;
	if (taken != PRODUCERS * ITEMS)
		die("%s: items were lost", side->name);
	side->drop();
	return PRODUCERS * ITEMS * 1e9 / (double)rig_elapsed_ns(&rig, result);
}

/* ---- the table ---- */

static double rate[SIDES][TRIALS];

static void row(struct out_table *table, uint32_t capacity, int mine, int peer,
		const char *goal)
{
	double ratio[TRIALS];
	char buf[16];

	for (int i = 0; i < TRIALS; i++)
		ratio[i] = rate[mine][i] / rate[peer][i];
	out_table_row(table);
	out_table_cell(table, "%u", capacity);
	out_table_cell(table, "%s", sides[mine].name);
	out_table_cell(
		table, "%s",
		out_number(stats_median(rate[mine], TRIALS), buf, sizeof(buf)));
	out_table_cell(table, "%s", sides[peer].name);
	out_table_cell(
		table, "%s",
		out_number(stats_median(rate[peer], TRIALS), buf, sizeof(buf)));
	out_table_cell(table, "%.2f", stats_median(ratio, TRIALS));
	out_table_cell(table, "%s", goal);
}

static void measure(uint32_t capacity)
{
	for (int i = 0; i < TRIALS; i++)
		for (int k = 0; k < SIDES; k++) {
			/* Who goes first changes from trial to trial. */
			int side = (i + k) % SIDES;

			rate[side][i] = run(&sides[side], capacity);
		}
}

int main(void)
{
	static const struct out_column columns[] = {
		{"Buffer", OUT_RIGHT},        {"mine", OUT_LEFT},
		{"items/s", OUT_RIGHT},       {"peer", OUT_LEFT},
		{"items/s", OUT_RIGHT},       {"ratio", OUT_RIGHT},
		{"goal, at least", OUT_LEFT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));

	out_check_at_exit();
	if (!table)
		die("out of memory");
	printf("%d producers, %d consumers: %d trials, medians\n", PRODUCERS,
	       CONSUMERS, TRIALS);
	measure(64);
	row(table, 64, OURS, TEXTBOOK, "2 (stretch: 3)");
	row(table, 64, SHARED, TEXTBOOK, "");
	measure(CAPACITY_MAX);
	row(table, CAPACITY_MAX, OURS, TEXTBOOK, "1");
	row(table, CAPACITY_MAX, SHARED, TEXTBOOK, "");
#if HAS_GLIB
	row(table, CAPACITY_MAX, OURS, GLIB, "0.8");
#else
	out_table_note(table, "GAsyncQueue: GLib is not installed "
			      "(libglib2.0-dev)");
#endif
	out_table_print(table, stdout);
	out_table_free(table);
	return EXIT_SUCCESS;
}
