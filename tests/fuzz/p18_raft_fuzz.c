/* Any events, in any order, with any numbers: messages of other servers who
 * know no rules, a disk, time, proposals, reads, snapshots. The core refuses
 * them or takes them, and its own state stays whole (raft_fault()); its term,
 * and what is committed, never go back; nothing is told twice to be applied.
 *
 * An event is a byte that says which, and then what it needs: numbers of one
 * byte, of which those from 240 on are great ones. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/p18/raft_fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MS INT64_C(1000000)

enum { SERVERS = 3 };

struct feed {
	const uint8_t *at;
	const uint8_t *end;
	struct raft *raft;
	int64_t now_ns;
	uint64_t number; /* of the last write */
	uint64_t token;  /* of the last request that it sent */
	uint64_t applied;
	struct raft_status status;
};

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static uint8_t byte(struct feed *feed)
{
	return feed->at < feed->end ? *feed->at++ : 0;
}

static uint64_t number(struct feed *feed)
{
	static const uint64_t great[] = {
		UINT64_MAX,          UINT64_MAX - 1,
		(uint64_t)INT64_MAX, (uint64_t)INT64_MAX + 1,
		RAFT_NUMBER_MAX - 1, RAFT_NUMBER_MAX,
		RAFT_NUMBER_MAX + 1, UINT32_MAX,
	};
	const uint8_t n = byte(feed);

	return n < 240 ? n : great[n % 8];
}

/* A number that is of use: near to one that is there. */
static uint64_t near(struct feed *feed, uint64_t to)
{
	const uint8_t n = byte(feed);

	return n < 128 ? to + n % 8 - 4 : number(feed);
}

static void take_entries(struct feed *feed, struct raft_message *message,
			 struct raft_entry *entries, char *bytes)
{
	message->append.entries = entries;
	message->append.n = byte(feed) % 4;
	for (size_t i = 0; i < message->append.n; i++) {
		struct members members = {0};

		entries[i] = (struct raft_entry){
			.term = near(feed, feed->status.term),
			.kind = byte(feed) % 4,
			.len = byte(feed) % 16,
			.command = "sixteen letters.",
		};
		if (entries[i].kind != RAFT_MEMBERS)
			continue;
		for (uint64_t id = 1; id <= SERVERS + 1; id++)
			if (byte(feed) % 4)
				members_add(&members, id, "a");
		entries[i].command = bytes;
		entries[i].len = members_encode(&members, bytes);
		message->append.n = i + 1;
	}
}

static void receive(struct feed *feed)
{
	const struct raft_status *status = &feed->status;
	struct raft_entry entries[4];
	char bytes[MEMBERS_BYTES_MAX];
	struct raft_message message = {
		.kind = byte(feed) % 7,
		.from = 1 + byte(feed) % (SERVERS + 1),
		.to = 1,
		.term = near(feed, status->term),
		.token = feed->token - byte(feed) % 4,
	};

	switch (message.kind) {
	case RAFT_VOTE:
		message.vote.last_index = near(feed, status->last);
		message.vote.last_term = near(feed, status->last_term);
		message.vote.is_pre = byte(feed) & 1;
		break;
	case RAFT_VOTE_REPLY:
		message.vote_reply.is_granted = byte(feed) & 1;
		break;
	case RAFT_APPEND:
		message.append.previous_index = near(feed, status->last);
		message.append.previous_term = near(feed, status->last_term);
		message.append.commit = near(feed, status->last);
		message.append.round = number(feed);
		take_entries(feed, &message, entries, bytes);
		break;
	case RAFT_APPEND_REPLY:
		message.append_reply.is_matching = byte(feed) & 1;
		message.append_reply.index = near(feed, status->last);
		message.append_reply.conflict_term =
			near(feed, status->last_term);
		message.append_reply.round = number(feed);
		break;
	case RAFT_SNAPSHOT:
		message.snapshot.last_index = near(feed, status->last);
		message.snapshot.last_term = near(feed, status->last_term);
		message.snapshot.total = number(feed);
		message.snapshot.offset = number(feed);
		message.snapshot.len = number(feed);
		break;
	case RAFT_SNAPSHOT_REPLY:
		message.snapshot_reply.offset = number(feed);
		break;
	default:
		break;
	}
	raft_receive(feed->raft, &message);
}

static void look(struct feed *feed)
{
	const struct raft_status before = feed->status;

	must(!raft_fault(feed->raft));
	raft_status(feed->raft, &feed->status);
	must(feed->status.term >= before.term);
	must(feed->status.commit >= before.commit);
	must(feed->status.applied >= before.applied);
}

static void take_output(struct feed *feed)
{
	struct raft_output output;

	raft_output(feed->raft, &output);
	if (output.write)
		must(output.write->number == ++feed->number);
	for (size_t i = 0; i < output.n_messages; i++)
		if (output.messages[i].kind % 2) /* a request */
			feed->token = output.messages[i].token;
	if (output.n_apply) {
		must(output.apply_first > feed->applied);
		feed->applied = output.apply_first + output.n_apply - 1;
	}
	must(output.wake_ns > 0);
}

static void install(struct feed *feed)
{
	struct members members = {0};

	for (uint64_t id = 1; id <= SERVERS; id++)
		members_add(&members, id, "a");
	raft_installed(feed->raft, near(feed, feed->status.last),
		       near(feed, feed->status.last_term), &members);
}

static void happen(struct feed *feed)
{
	uint64_t index, term;

	switch (byte(feed) % 16) {
	case 0:
		feed->now_ns += byte(feed) * MS;
		raft_tick(feed->raft, feed->now_ns);
		break;
	case 1:
		raft_propose(feed->raft, "command", byte(feed) % 8, &index,
			     &term);
		break;
	case 2:
		raft_read(feed->raft, byte(feed));
		break;
	case 3:
	case 4:
		raft_persisted(feed->raft, feed->number - byte(feed) % 2);
		break;
	case 5:
		raft_lost(feed->raft, byte(feed) % 5,
			  feed->token - byte(feed) % 4);
		break;
	case 6:
		raft_add(feed->raft, number(feed), "a", &index, &term);
		break;
	case 7:
		raft_remove(feed->raft, byte(feed) % 5, &index, &term);
		break;
	case 8:
		raft_compacted(feed->raft, near(feed, feed->status.applied),
			       number(feed));
		break;
	case 9:
		install(feed);
		break;
	case 10:
		raft_install_failed(feed->raft);
		break;
	case 11:
	case 12:
		take_output(feed);
		break;
	default:
		receive(feed);
		break;
	}
	look(feed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = {.at = data, .end = data + size, .token = 1};
	const struct raft_options options = {.id = 1,
					     .seed = 1,
					     .election_ns = 100 * MS,
					     .heartbeat_ns = 20 * MS,
					     .window = 2,
					     .append_bytes = 20,
					     .trailing = 1};
	struct raft_stored stored = {0};

	for (uint64_t id = 1; id <= SERVERS; id++)
		members_add(&stored.members, id, "a");
	must(!raft_open(&options, &stored, &feed.raft));
	while (feed.at < feed.end)
		happen(&feed);
	raft_close(feed.raft);
	return 0;
}
