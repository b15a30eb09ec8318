/* segment.c - see segment.h. */
#include "p18-rpc-kv/durable/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/crc32c.h"

#define MAGIC "UIPCWAL"

const char *segment_name(uint64_t number, char name[SEGMENT_NAME_BYTES])
{
	snprintf(name, SEGMENT_NAME_BYTES, SEGMENT_PREFIX "%010" PRIu64,
		 number);
	return name;
}

/* ---- heads ------------------------------------------------------------------- */

static uint32_t head_crc(const struct segment_head *head)
{
	struct segment_head rest = *head;

	rest.crc = 0;
	return crc32c(&rest, sizeof(rest));
}

void segment_seal(struct segment_head *head)
{
	memcpy(head->magic, MAGIC, sizeof(head->magic));
	head->version = SEGMENT_VERSION;
	head->crc = head_crc(head);
}

const char *segment_head_fault(const uint8_t *bytes, uint64_t number)
{
	struct segment_head head;

	memcpy(&head, bytes, sizeof(head));
	if (memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0)
		return "it is no segment of a log";
	if (head.version != SEGMENT_VERSION)
		return "it is of another version";
	if (head.crc != head_crc(&head))
		return "the checksum of its head is wrong";
	if (head.number != number)
		return "it is another segment";
	if (head.bytes < WAL_SEGMENT_MIN || head.bytes > WAL_SEGMENT_MAX ||
	    head.bytes % WAL_HEAD_BYTES)
		return "its length cannot be";
	if (segment_zeros(bytes, WAL_HEAD_BYTES, sizeof(head)) > sizeof(head))
		return "there is something behind its head";
	return NULL;
}

/* ---- records ----------------------------------------------------------------- */

static uint32_t record_crc(const struct segment_record *record, uint64_t salt,
			   uint32_t at)
{
	const uint64_t place[2] = {salt, at};

	return crc32c_more(
		crc32c(place, sizeof(place)), &record->crc,
		sizeof(*record) - offsetof(struct segment_record, crc));
}

size_t segment_put(uint8_t *to, uint64_t salt, uint32_t at, uint32_t durable,
		   const struct wal_entry *entry)
{
	const size_t bytes = segment_record_bytes(entry->len);
	struct segment_record record = {
		.index = entry->index,
		.term = entry->term,
		.kind = entry->kind,
		.len = entry->len,
		.durable = durable,
	};

	memset(to + bytes - 8, 0, 8);
	if (entry->len)
		memcpy(to + sizeof(record), entry->bytes, entry->len);
	record.crc = crc32c(to + sizeof(record), bytes - sizeof(record));
	record.head_crc = record_crc(&record, salt, at);
	memcpy(to, &record, sizeof(record));
	return bytes;
}

bool segment_get(const uint8_t *segment, const struct segment_head *head,
		 uint32_t at, struct segment_record *record)
{
	const uint32_t room = head->bytes - at;

	if (at > head->bytes || room < sizeof(*record))
		return false;
	memcpy(record, segment + at, sizeof(*record));
	if (!record->index || record->durable > at || record->zero ||
	    record->head_crc != record_crc(record, head->salt, at))
		return false;
	if (record->len > room || segment_record_bytes(record->len) > room)
		return false;
	return record->crc ==
	       crc32c(segment + at + sizeof(*record),
		      segment_record_bytes(record->len) - sizeof(*record));
}

uint32_t segment_zeros(const uint8_t *segment, uint32_t bytes, uint32_t at)
{
	while (bytes > at && !segment[bytes - 1])
		bytes--;
	return bytes;
}
