/* bench.c - items a second with 3 producers and 2 consumers, threads: ours
 * beside the textbook's buffer and GLib's GAsyncQueue. The sides take turns,
 * and a figure is the median of the ratios trial by trial. Consumers check
 * that every item came, and in order.
 *
 * GAsyncQueue has no bound, and carries pointers: its items lie ready in
 * memory, nothing is allocated for them. Where GLib's headers are not
 * installed, it is left out. */
#include <pthread.h>
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
	pthread_t thread;
	uint64_t taken;
	bool is_in_order;
};

static void *produce(void *arg)
{
	struct worker *worker = arg;

	for (uint64_t i = 0; i < ITEMS; i++) {
		struct textbook_item *item = &items[worker->number][i];

		*item = (struct textbook_item){worker->number, i + 1};
		worker->side->put(item);
	}
	return NULL;
}

static void *consume(void *arg)
{
	uint64_t last[PRODUCERS + 1] = {0};
	struct worker *worker = arg;
	struct textbook_item item;

	worker->is_in_order = true;
	for (;;) {
		worker->side->take(&item);
		if (item.producer == 0)
			return NULL;
		if (item.producer > PRODUCERS ||
		    item.sequence <= last[item.producer])
			worker->is_in_order = false;
		else
			last[item.producer] = item.sequence;
		worker->taken++;
	}
}

static void start(struct worker *worker, const struct side *side,
		  uint64_t number, void *(*body)(void *))
{
	*worker = (struct worker){.side = side, .number = number};
	if (pthread_create(&worker->thread, NULL, body, worker))
		die("cannot start a thread");
}

/* Items a second. */
static double run(const struct side *side, uint32_t capacity)
{
	struct worker producer[PRODUCERS], consumer[CONSUMERS];
	uint64_t taken = 0;
	int64_t begin;
	double result;

	side->make(capacity);
	begin = tick_now();
	for (uint64_t i = 0; i < CONSUMERS; i++)
		start(&consumer[i], side, i, consume);
	for (uint64_t i = 0; i < PRODUCERS; i++)
		start(&producer[i], side, i + 1, produce);
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(producer[i].thread, NULL);
	for (int i = 0; i < CONSUMERS; i++)
		side->put(&items[0][i]);
	for (int i = 0; i < CONSUMERS; i++) {
		pthread_join(consumer[i].thread, NULL);
		taken += consumer[i].taken;
		if (!consumer[i].is_in_order)
			die("%s: items came out of order", side->name);
	}
	result = PRODUCERS * ITEMS * 1e9 / (double)(tick_now() - begin);
	if (taken != PRODUCERS * ITEMS)
		die("%s: items were lost", side->name);
	side->drop();
	return result;
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
