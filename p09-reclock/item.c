/* item.c - a reader copies the half that is live, without a lock, and then
 * looks whether the word is still the same. A writer, with the lock, writes the
 * half that is idle and then the word. So what a reader has copied was written
 * upon only if the word changed twice meanwhile: then the reader sees that it
 * changed, by the fences (the order is that of a seqlock, which Boehm, "Can
 * Seqlocks Get Along With Programming Language Memory Models?", 2012, proves):
 *
 *	writer of 2    word := 1 (release) … fence (release), half := …
 *	reader of 0    copy of half, fence (acquire), word == 0?
 *
 * Bytes move in eights, each by a relaxed access, as others may be at them.
 *
 * Through a descriptor (RECLOCK_SYNC) the order is the disk's: the half is on it
 * before the word is written, and the word before the call returns. And the word
 * that made a half idle is on it before that half is written: who published it
 * may have been killed before the barrier, or have had none to make. The group
 * remembers that: unsynced. */
#include "p09-reclock/item.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/crc32c.h"

/* ---- keys ---- */

struct item_key item_key(const struct reclock *store, const void *bytes,
			 size_t len)
{
	return (struct item_key){
		.bytes = bytes,
		.len = len,
		.hash = layout_hash(store->layout.id, bytes, len),
	};
}

struct reclock_label item_label(const struct item_key *key)
{
	struct reclock_label label = {0};

	label.len =
		(uint8_t)(key->len < sizeof(label.text) ? key->len
							: sizeof(label.text));
	if (label.len)
		memcpy(label.text, key->bytes, label.len);
	return label;
}

/* ---- reading ---- */

static void copy_out(layout_eight *to, const layout_eight *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static size_t record_len(const struct layout_half *half)
{
	return sizeof(*half) + half->key_len + half->value_len;
}

static uint32_t half_crc(const struct layout_half *half)
{
	const size_t skip = sizeof(half->crc);

	return crc32c((const char *)half + skip, record_len(half) - skip);
}

bool item_is_whole(const struct reclock *store, uint64_t word)
{
	const struct layout_half *half = item_half(store);

	return half->word == word && half->key_len &&
	       record_len(half) <= sizeof(*half) + store->layout.record_bytes &&
	       half->crc == half_crc(half);
}

static int note_damage(struct reclock *store, uint32_t group, unsigned int slot)
{
	store->trouble.group = group;
	store->trouble.slot = slot;
	return -EBADMSG;
}

void item_copy(struct reclock *store, const struct item_slot *slot)
{
	const size_t head = sizeof(struct layout_half) / 8;
	const layout_eight *from =
		layout_half(&store->layout, store_group(store, slot->group),
			    slot->slot, slot->word);
	size_t n;

	copy_out(store->copy, from, head);
	n = (record_len(item_half(store)) + 7) / 8;
	if (n <= store->layout.half_bytes / 8)
		copy_out(store->copy + head, from + head, n - head);
}

int item_read(struct reclock *store, const struct item_slot *slot)
{
	const struct layout_group *group = store_group(store, slot->group);

	item_copy(store, slot);
	/* Pairs with the release fence in put_half(): see above. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&group->word[slot->slot], __ATOMIC_RELAXED) !=
	    slot->word)
		return -EAGAIN;
	return item_is_whole(store, slot->word)
		       ? 0
		       : note_damage(store, slot->group, slot->slot);
}

/* ---- finding ---- */

int item_reach(struct reclock *store, uint32_t home)
{
	/* Pairs with the release in set_reach(). */
	uint64_t word = __atomic_load_n(&store_group(store, home)->reach,
					__ATOMIC_ACQUIRE);

	if (!layout_is_sound(word) || layout_generation(word) > LAYOUT_REACH)
		return note_damage(store, home, LAYOUT_SLOTS);
	return (int)layout_generation(word);
}

/* Not by the tag alone: whether a key is missing only sound words can say. */
static int find_unsound(struct reclock *store, uint32_t number)
{
	const struct layout_group *group = store_group(store, number);

	for (unsigned int i = 0; i < LAYOUT_SLOTS; i++)
		if (!layout_is_sound(
			    __atomic_load_n(&group->word[i], __ATOMIC_RELAXED)))
			return note_damage(store, number, i);
	return -ENOENT;
}

static bool is_key(const struct reclock *store, const struct item_key *key)
{
	const struct layout_half *half = item_half(store);

	return half->key_len == key->len &&
	       memcmp(half->bytes, key->bytes, key->len) == 0;
}

/* Where in a group a key lies, if it was free when it came: there a search
 * begins, and a read has both halves fetched while it waits for the word. */
static unsigned int first_slot(const struct item_key *key)
{
	return (unsigned int)(key->hash >> 16) % LAYOUT_SLOTS;
}

void item_prefetch(const struct reclock *store, const struct item_key *key)
{
	enum { LINE = 64 };
	struct layout_group *group = store_group(
		store, layout_home(store->layout.groups, key->hash));

	__builtin_prefetch(&group->word[0]);
	__builtin_prefetch(&group->word[8]);
	for (uint64_t which = 0; which < 2; which++) {
		const char *half = (const char *)layout_half(
			&store->layout, group, first_slot(key),
			layout_word(which, 0));

		__builtin_prefetch(half);
		__builtin_prefetch(half + LINE);
	}
}

static int find_in_group(struct reclock *store, const struct item_key *key,
			 struct item_slot *slot)
{
	const struct layout_group *group = store_group(store, slot->group);
	const uint16_t tag = layout_tag_of(key->hash);
	const unsigned int first = first_slot(key);

	for (unsigned int i = 0; i < LAYOUT_SLOTS; i++) {
		const unsigned int at = (first + i) % LAYOUT_SLOTS;
		/* Pairs with the release in put_word(). */
		uint64_t word =
			__atomic_load_n(&group->word[at], __ATOMIC_ACQUIRE);
		int error;

		if (layout_tag(word) != tag)
			continue;
		if (!layout_is_sound(word))
			return note_damage(store, slot->group, at);
		slot->slot = at;
		slot->word = word;
		error = item_read(store, slot);
		if (error)
			return error;
		if (is_key(store, key))
			return 0;
	}
	return find_unsound(store, slot->group);
}

int item_find(struct reclock *store, const struct item_key *key,
	      struct item_slot *slot)
{
	const uint32_t home = layout_home(store->layout.groups, key->hash);
	int error, reach;

	slot->group = home;
	item_prefetch(store, key);
	error = find_in_group(store, key, slot);
	if (error != -ENOENT)
		return error;
	reach = item_reach(store, home);
	if (reach < 0)
		return reach;
	while (error == -ENOENT && slot->group < home + (uint32_t)reach) {
		slot->group++;
		error = find_in_group(store, key, slot);
	}
	return error;
}

int item_find_room(struct reclock *store, const struct item_key *key,
		   unsigned int width, struct item_slot *slot)
{
	const uint32_t home = layout_home(store->layout.groups, key->hash);

	for (slot->group = home; slot->group <= home + width; slot->group++) {
		struct layout_group *group = store_group(store, slot->group);

		for (unsigned int i = 0; i < LAYOUT_SLOTS; i++) {
			slot->slot = (first_slot(key) + i) % LAYOUT_SLOTS;
			slot->word = group->word[slot->slot];
			if (layout_is_sound(slot->word) &&
			    layout_tag(slot->word) == 0)
				return 0;
		}
	}
	return -ENOSPC;
}

/* ---- writing ---- */

static int write_at(struct reclock *store, const void *bytes, size_t len,
		    const void *mapped)
{
	const off_t at = (const char *)mapped - (const char *)store->map;
	ssize_t n = pwrite(store->lock.fd, bytes, len, at);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int sync_data(struct reclock *store)
{
	return fdatasync(store->lock.fd) ? -errno : 0;
}

static int put_word(struct reclock *store, uint64_t *to, uint64_t word)
{
	if (store->flags & RECLOCK_SYNC)
		return write_at(store, &word, sizeof(word), to);
	/* Publishes the half; pairs with the acquire in find_in_group(). */
	__atomic_store_n(to, word, __ATOMIC_RELEASE);
	return 0;
}

static int put_half(struct reclock *store, layout_eight *to)
{
	const size_t n = (record_len(item_half(store)) + 7) / 8;

	if (store->flags & RECLOCK_SYNC)
		return write_at(store, store->copy, n * 8, to);
	/* After the word that made this half idle; pairs with the fence in
	 * item_read(). */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (size_t i = 0; i < n; i++)
		__atomic_store_n(&to[i], store->copy[i], __ATOMIC_RELAXED);
	return 0;
}

/* On the disk before anything is published there. */
static int set_reach(struct reclock *store, const struct item_key *key,
		     uint32_t group)
{
	const uint32_t home = layout_home(store->layout.groups, key->hash);
	struct layout_group *at = store_group(store, home);

	if (group - home <= layout_generation(at->reach))
		return 0;
	return put_word(store, &at->reach, layout_word(group - home, 0));
}

static void compose(struct reclock *store, uint64_t word,
		    const struct item_key *key, const void *value, size_t len)
{
	struct layout_half *half = (struct layout_half *)store->copy;
	const size_t end = sizeof(*half) + key->len + len;

	store->copy[(end - 1) / 8] = 0; /* what the last eight has behind it */
	half->key_len = (uint16_t)key->len;
	half->value_len = (uint16_t)len;
	half->word = word;
	memcpy(half->bytes, key->bytes, key->len);
	if (len)
		memcpy(half->bytes + key->len, value, len);
	half->crc = half_crc(half);
}

/* The first barrier puts the half before the word. */
static int publish(struct reclock *store, const struct item_slot *slot,
		   uint64_t word, bool has_half)
{
	struct layout_group *group = store_group(store, slot->group);
	const bool is_sync = store->flags & RECLOCK_SYNC;
	int error = is_sync && has_half ? sync_data(store) : 0;

	group->unsynced = 1;
	if (!error)
		error = put_word(store, &group->word[slot->slot], word);
	if (!error && is_sync)
		error = sync_data(store);
	if (!error && is_sync)
		group->unsynced = 0;
	return error;
}

int item_write(struct reclock *store, const struct item_slot *slot,
	       const struct item_key *key, const void *value, size_t len)
{
	const uint64_t word = layout_word(layout_generation(slot->word) + 1,
					  layout_tag_of(key->hash));
	struct layout_group *group = store_group(store, slot->group);
	int error = 0;

	if (store->flags & RECLOCK_SYNC && group->unsynced)
		error = sync_data(store);
	compose(store, word, key, value, len);
	if (!error)
		error = set_reach(store, key, slot->group);
	if (!error)
		error = put_half(store, layout_half(&store->layout, group,
						    slot->slot, word));
	return error ? error : publish(store, slot, word, true);
}

int item_free(struct reclock *store, const struct item_slot *slot)
{
	return publish(store, slot,
		       layout_word(layout_generation(slot->word) + 1, 0),
		       false);
}
