/* check.c - all that can be wrong with the bytes of a group, found and
 * repaired. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "p09-reclock/item.h"

/* ---- without a lock ---- */

/* Read what is live in a slot, however often it changes meanwhile: 0, -ENOENT
 * (it is free) or -EBADMSG. */
static int read_slot(struct reclock *store, struct item_slot *at)
{
	enum { TRIES = 64 };
	int error = -EAGAIN;

	for (int i = 0; i < TRIES && error && error != -ENOENT; i++) {
		/* Pairs with the release in put_word(). */
		at->word = __atomic_load_n(
			&store_group(store, at->group)->word[at->slot],
			__ATOMIC_ACQUIRE);
		if (!layout_is_sound(at->word))
			error = -EBADMSG;
		else if (!layout_tag(at->word))
			error = -ENOENT;
		else
			error = item_read(store, at);
	}
	if (error != -EAGAIN && error != -EBADMSG)
		return error;
	store->trouble.group = at->group;
	store->trouble.slot = at->slot;
	return -EBADMSG;
}

int reclock_each(struct reclock *store,
		 int (*each)(void *arg, const void *key, size_t key_len,
			     const void *value, size_t value_len),
		 void *arg)
{
	struct item_slot at;
	int result = store_follow(store, false);

	if (result < 0)
		return result;
	for (at.group = 0; at.group < store_groups(store); at.group++) {
		for (at.slot = 0; at.slot < LAYOUT_SLOTS; at.slot++) {
			const struct layout_half *half = item_half(store);

			result = read_slot(store, &at);
			if (result == -ENOENT)
				continue;
			if (!result)
				result = each(arg, half->bytes, half->key_len,
					      item_value(store),
					      half->value_len);
			if (result)
				return result;
		}
	}
	return 0;
}

static uint32_t home_of(const struct reclock *store)
{
	const struct layout_half *half = item_half(store);

	return layout_home(store->layout.groups,
			   item_key(store, half->bytes, half->key_len).hash);
}

int reclock_stat(struct reclock *store, struct reclock_stat *stat)
{
	struct item_slot at;
	int error = store_follow(store, false);

	if (error < 0)
		return error;
	*stat = (struct reclock_stat){
		.record_bytes = store->layout.record_bytes,
		.groups = store_groups(store),
		.slots = (uint64_t)store_groups(store) * LAYOUT_SLOTS,
		.file_bytes = store->layout.file_bytes,
	};
	for (at.group = 0; at.group < store_groups(store); at.group++) {
		for (at.slot = 0; at.slot < LAYOUT_SLOTS; at.slot++) {
			error = read_slot(store, &at);
			stat->damaged += error == -EBADMSG;
			stat->records += error == 0;
			if (!error)
				stat->spilled += home_of(store) != at.group;
		}
	}
	return 0;
}

/* ---- with all locked ---- */

struct checker {
	struct reclock *store;
	bool repair;
	void (*say)(void *arg, const char *what);
	void *arg;
	int found;
};

static void found(struct checker *checker, const struct item_slot *at,
		  const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void found(struct checker *checker, const struct item_slot *at,
		  const char *format, ...)
{
	char what[160];
	size_t n = (size_t)snprintf(what, sizeof(what),
				    "group %u, slot %u: ", at->group, at->slot);
	va_list args;

	checker->found++;
	if (!checker->say)
		return;
	va_start(args, format);
	vsnprintf(what + n, sizeof(what) - n, format, args);
	va_end(args);
	checker->say(checker->arg, what);
}

/* Whether what was read last belongs into that slot: its tag, and its home. */
static bool is_in_place(const struct reclock *store, const struct item_slot *at)
{
	const struct layout_half *half = item_half(store);
	const struct item_key key = item_key(store, half->bytes, half->key_len);
	const uint32_t home = layout_home(store->layout.groups, key.hash);

	return layout_tag(at->word) == layout_tag_of(key.hash) &&
	       at->group - home <= LAYOUT_REACH;
}

/* Whether the half is whole and belongs there; *word is what it was written
 * for. */
static bool is_good_half(struct reclock *store, const struct item_slot *at,
			 unsigned int which, uint64_t *word)
{
	struct item_slot as = *at;

	as.word = layout_word(which, 0);
	item_copy(store, &as);
	as.word = item_half(store)->word;
	*word = as.word;
	return layout_is_sound(as.word) && layout_tag(as.word) &&
	       (layout_generation(as.word) & 1) == which &&
	       item_is_whole(store, as.word) && is_in_place(store, &as);
}

/* What a damaged slot is to be: a half that is whole, of the generation before
 * where that is known, or free. */
static uint64_t find_older(struct reclock *store, const struct item_slot *at)
{
	const bool is_known = layout_is_sound(at->word);
	const uint64_t before = layout_generation(
		layout_word(layout_generation(at->word) - 1, 0));
	uint64_t word, newest = 0;

	for (unsigned int which = 0; which < 2; which++)
		if (is_good_half(store, at, which, &word) &&
		    (!is_known || layout_generation(word) == before) &&
		    word > newest)
			newest = word;
	return newest ? newest
		      : layout_word(layout_generation(at->word) + 1, 0);
}

static void check_slot(struct checker *checker, struct item_slot *at)
{
	struct reclock *store = checker->store;
	uint64_t *word = &store_group(store, at->group)->word[at->slot];
	const char *wrong = NULL;
	uint64_t older;

	at->word = *word;
	if (!layout_is_sound(at->word))
		wrong = "its word is damaged";
	else if (!layout_tag(at->word))
		return;
	else if (item_read(store, at))
		wrong = "the record is damaged";
	else if (!is_in_place(store, at))
		wrong = "the record does not belong here";
	if (!wrong)
		return;
	older = find_older(store, at);
	found(checker, at, "%s; %s", wrong,
	      !checker->repair    ? "a read of it fails"
	      : layout_tag(older) ? "put back what it was before"
				  : "freed");
	if (checker->repair)
		__atomic_store_n(word, older, __ATOMIC_RELEASE);
}

static void check_reach(struct checker *checker, uint32_t number)
{
	struct layout_group *group = store_group(checker->store, number);
	const struct item_slot at = {number, LAYOUT_SLOTS, 0};

	if (item_reach(checker->store, number) >= 0)
		return;
	found(checker, &at, "how far it was spilled is damaged");
	if (checker->repair)
		__atomic_store_n(&group->reach, layout_word(LAYOUT_REACH, 0),
				 __ATOMIC_RELEASE);
}

/* A record that is whole: a search must meet it, and no other of its key. */
static void check_search(struct checker *checker, struct item_slot *at,
			 unsigned char *buffer)
{
	struct reclock *store = checker->store;
	struct layout_group *group = store_group(store, at->group), *home;
	struct item_slot met;
	struct item_key key;
	int error;

	at->word = group->word[at->slot];
	if (!layout_is_sound(at->word) || !layout_tag(at->word) ||
	    item_read(store, at) || !is_in_place(store, at))
		return;
	memcpy(buffer, item_half(store)->bytes, item_half(store)->key_len);
	key = item_key(store, buffer, item_half(store)->key_len);
	error = item_find(store, &key, &met);
	if (error == -ENOENT) {
		found(checker, at, "a search does not come here");
		home = store_group(store,
				   layout_home(store->layout.groups, key.hash));
		if (checker->repair)
			home->reach = layout_word(LAYOUT_REACH, 0);
	} else if (!error && (met.group != at->group || met.slot != at->slot)) {
		found(checker, at, "its key is in group %u, slot %u, too",
		      met.group, met.slot);
		if (checker->repair)
			item_free(store, at);
	}
}

static void check_all(struct checker *checker, unsigned char *buffer)
{
	const uint32_t groups = store_groups(checker->store);
	struct item_slot at;

	for (at.group = 0; at.group < groups; at.group++) {
		check_reach(checker, at.group);
		for (at.slot = 0; at.slot < LAYOUT_SLOTS; at.slot++)
			check_slot(checker, &at);
	}
	for (at.group = 0; at.group < groups; at.group++)
		for (at.slot = 0; at.slot < LAYOUT_SLOTS; at.slot++)
			check_search(checker, &at, buffer);
}

int reclock_check_until(struct reclock *store, bool repair,
			void (*say)(void *arg, const char *what), void *arg,
			int64_t deadline)
{
	static const struct reclock_label all = {11, "all records"};
	struct checker checker = {store, repair, say, arg, 0};
	unsigned char *buffer;
	int error;

	if (repair && store->flags & RECLOCK_READ_ONLY)
		return -EROFS;
	do
		error = store_lock(store, 0, store_groups(store), &all,
				   deadline);
	while (error > 0);
	if (error)
		return error;
	buffer = malloc(store->layout.record_bytes);
	if (buffer)
		check_all(&checker, buffer);
	else
		error = -ENOMEM;
	free(buffer);
	if (!error && repair && checker.found && fsync(store->lock.fd))
		error = -errno;
	store_unlock(store, 0, store_groups(store));
	return error ? error : checker.found;
}
