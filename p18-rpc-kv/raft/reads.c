/* reads.c - linearizable reads, without an entry in the log (ReadIndex; thesis,
 * 6.4).
 *
 * A read must see all that was committed before it came in, and only a leader
 * knows what that is. Whether we still lead, a majority has to say, after the
 * read has come in: it answers a round of heartbeats. All reads that wait share
 * the next round, and there is one at a time. */
#include "p18-rpc-kv/raft/reads.h"

#include <errno.h>
#include <string.h>

#include "p18-rpc-kv/raft/vector.h"

int reads_ask(struct raft *raft, uint64_t id)
{
	struct read *reads = vector_reserve(raft->reads, &raft->reads_room,
					    raft->n_reads + 1, sizeof(*reads));
	struct raft_answer *answers;

	if (!reads)
		return -ENOMEM;
	raft->reads = reads;
	/* So that to answer them needs no memory. */
	answers = vector_reserve(raft->answers, &raft->answers_room,
				 raft->n_answers + raft->n_reads + 1,
				 sizeof(*answers));
	if (!answers)
		return -ENOMEM;
	raft->answers = answers;
	reads[raft->n_reads++] = (struct read){.id = id};
	return 0;
}

static void answer(struct raft *raft, const struct read *read,
		   bool is_confirmed)
{
	raft->answers[raft->n_answers++] =
		(struct raft_answer){read->id, is_confirmed, read->index};
}

void reads_begin_term(struct raft *raft)
{
	raft->is_confirmed = true;
	raft->confirmed_ns = INT64_MIN;
	raft->confirmed_index = 0;
}

void reads_begin(struct raft *raft)
{
	bool is_wanted = raft->n_reads > 0;

	/* Before the first entry of its term is committed a leader does not
	 * know what is (paper, 8): others may have been told of more. */
	if (raft->commit < raft->first_index)
		return;
	for (unsigned int i = 0; i < raft->members.n; i++)
		is_wanted |= raft->peer[i].wants_empty;
	if (!is_wanted || !raft->is_confirmed)
		return;
	raft->round++;
	raft->is_confirmed = false;
	raft->round_ns = raft->now_ns;
	raft->round_index = raft->commit;
	for (size_t i = 0; i < raft->n_reads; i++) {
		raft->reads[i].round = raft->round;
		raft->reads[i].index = raft->commit;
	}
	for (unsigned int i = 0; i < raft->members.n; i++)
		raft->peer[i].wants_empty = !core_is_self(raft, i);
	reads_confirm(raft);
}

static bool has_answered(const struct raft *raft, unsigned int at)
{
	return core_is_self(raft, at) || raft->peer[at].round >= raft->round;
}

void reads_confirm(struct raft *raft)
{
	size_t kept = 0;

	if (raft->is_confirmed || !core_majority(raft, has_answered))
		return;
	raft->is_confirmed = true;
	raft->confirmed_ns = raft->round_ns;
	raft->confirmed_index = raft->round_index;
	for (size_t i = 0; i < raft->n_reads; i++)
		if (raft->reads[i].round)
			answer(raft, &raft->reads[i], true);
		else
			raft->reads[kept++] = raft->reads[i];
	raft->n_reads = kept;
}

void reads_fail(struct raft *raft)
{
	for (size_t i = 0; i < raft->n_reads; i++)
		answer(raft, &raft->reads[i], false);
	raft->n_reads = 0;
}
